internal import TraceEvents

/// The events that call for alerts, and the ones that show what became of a denied write.
extension AlertJudge {
  mutating func expectForWrite(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    var item = Expectation(
      cause: event.seq, vcpu: event.vcpu, gpa: event.gpa, rip: event.rip, subject: .write, call: .anything)
    let count = UInt64(event.dataCount)
    if count >= 1, count <= 8, event.gpa & 4095 + count <= 4096 {
      switch protection.decision(vcpu: event.vcpu, gpa: event.gpa, count: count) {
      case .none: item.call = .nothing
      case .unknown: break
      case .alert(let origin, let action, let basis):
        item.call = .alert(origin: origin, action: action)
        item.basis = basis
      }
      item.attempted = event.little(0, count: Int(count))
      item.count = count
    }
    expect(item, &findings)
  }

  mutating func expectForRefusal(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    if Int(event.vcpu) < refusedCalls.count { refusedCalls[Int(event.vcpu)] = event.cause }
    expect(
      Expectation(
        cause: event.seq, vcpu: event.vcpu, gpa: 0, rip: event.rip, subject: .refusal,
        call: .alert(origin: .refusal, action: AlertAction.deny.rawValue), refusedCall: event.cause, refusalReason: event.a), &findings)
  }

  /// A request that was answered with the status of a refusal, and no refusal in the trace that an alert could answer.
  mutating func judgeRefusedResult(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard event.a == Hypercall.refused, let call = protection.call(event.vcpu, seq: event.cause) else { return }
    guard refusedCalls[Int(event.vcpu)] != call.seq else { return }
    let vcpu = event.vcpu
    findings.report(
      .integrityRefusalUnanswered, seq: event.seq, vcpu: vcpu, rip: call.rip, expected: "a refused request performs an alert action",
      observed: "vCPU \(vcpu) was told of a refusal, and no refusal was recorded that an alert could answer",
      because: [Finding.Reason(seq: call.seq, what: "hypercall \(call.number)")])
  }

  mutating func expectForAccess(_ event: borrowing EventView, _ facts: borrowing Facts, _ findings: inout FindingCollector) {
    guard Int(event.vcpu) < facts.vcpus.count else { return }
    let mode = facts.vcpus[Int(event.vcpu)].mode
    let isCertain = !facts.isRegionMapped && mode != .privileged && mode != .unknown
    expect(
      Expectation(
        cause: event.seq, vcpu: event.vcpu, gpa: event.gpa, rip: event.rip, subject: .regionAccess,
        call: isCertain ? .alert(origin: .region, action: AlertAction.deny.rawValue) : .anything), &findings)
  }

  // MARK: Denied writes

  mutating func judgeResult(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    let count = event.dataCount / 2
    let gpa = event.gpa
    guard count >= 1, count <= 8, event.dataCount == 2 * count, gpa < 1 << 52 else { return }
    if !denied.isEmpty, let write = denied.showing(in: event, at: gpa, first: 0, count: count) { reportShowing(write, event, &findings) }
    let isApplied = event.a == WriteOutcome.applied.rawValue
    if isApplied { denied.forget(from: gpa, to: gpa &+ UInt64(count)) }
    guard Int(event.vcpu) < open.count, var item = open[Int(event.vcpu)], item.subject == .write, item.cause == event.cause else { return }
    guard item.count == UInt64(count), item.gpa == gpa else { return }
    let (before, after) = (event.little(0, count: count), event.little(count, count: count))
    item.resultAt = event.seq
    item.isDropped = !isApplied
    item.landed = (0..<count).contains { index in
      let shift = UInt64(index * 8)
      let byte = UInt8(truncatingIfNeeded: after >> shift)
      return byte == UInt8(truncatingIfNeeded: item.attempted >> shift) && byte != UInt8(truncatingIfNeeded: before >> shift)
    }
    judgeLanding(&item, &findings)
    judgeDroppedNotify(item, event, &findings)
    open[Int(event.vcpu)] = item
    if !isApplied, !item.landed {
      denied.remember(
        DeniedWrites.Write(seq: item.cause, vcpu: item.vcpu, gpa: gpa, count: item.count, attempted: item.attempted, before: before))
    }
  }

  /// Notify means that the write goes through.
  private func judgeDroppedNotify(_ item: Expectation, _ event: borrowing EventView, _ findings: inout FindingCollector) {
    guard item.isDropped, let answer = item.answer, item.action == UInt64(AlertAction.notify.rawValue) else { return }
    let what = item.subjectText
    findings.report(
      .alertWrongAction, at: event, expected: "\(what) goes through: the alert's action is notify", observed: "it was dropped",
      because: [Finding.Reason(seq: answer, what: "the alert, with action notify")])
  }

  mutating func judgeContents(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    guard !denied.isEmpty, event.dataCount == 4096, event.gpa & 4095 == 0, event.gpa < 1 << 52 else { return }
    if let write = denied.showing(in: event, at: event.gpa, first: 0, count: 4096) { reportShowing(write, event, &findings) }
  }

  private mutating func reportShowing(_ write: DeniedWrites.Write, _ event: borrowing EventView, _ findings: inout FindingCollector) {
    let seq = event.seq
    findings.report(
      .alertDeniedWriteLanded, seq: seq, vcpu: write.vcpu, gpa: write.gpa, expected: "a denied write never shows in memory",
      observed: "the bytes that vCPU \(write.vcpu) tried to write at \(gpaText(write.gpa)) are there at \(seq), with no other write in between",
      because: [Finding.Reason(seq: write.seq, what: "the write trapped, and was dropped")])
    denied.forget(from: write.gpa, to: write.gpa + write.count)
  }
}

extension EventView {
  /// Up to 8 bytes of the data as a little-endian number.
  fileprivate func little(_ first: Int, count: Int) -> UInt64 {
    if count == 8 { return word(at: first) }
    var value: UInt64 = 0
    for index in 0..<count { value |= UInt64(byte(first + index)) << UInt64(index * 8) }
    return value
  }
}
