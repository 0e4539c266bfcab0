internal import TraceEvents

/// Judges the rules of the group `integrity/`, but for refusals that nobody answered: those are a matter of alerts.
struct IntegrityJudge {
  init(_ subject: Analyzer.Subject) {}

  /// Looks at the next event. `facts` and `protection` are what was so before it.
  mutating func judge(
    _ event: borrowing EventView, _ facts: borrowing Facts, _ protection: inout Protection, _ findings: inout FindingCollector
  ) {
    switch event.kind {
    case .pageWrite:
      if protection.filter.isMarked(event.gpa >> 12) { judgePageWrite(event, facts, &protection, &findings) }
    case .guestExit: judgeExit(event, &protection, &findings)
    case .vcpuHalt: judgeEnd(event, "halts", &protection, &findings)
    case .vcpuOffline: judgeEnd(event, "goes offline", &protection, &findings)
    case .interruptDeliver: judgeInterrupt(event, &protection, &findings)
    case .writeResult: judgeWrite(event, &protection, &findings)
    case .guestWrite: judgeGuestWrite(event, &protection, &findings)
    case .hypercallResult: judgeResult(event, &protection, &findings)
    case .integrityEnter: judgeEntry(event, &protection, &findings)
    case .integrityLeave:
      if protection.modes.stateKept(by: event.vcpu) == .outside {
        let (vcpu, cause) = (event.vcpu, event.cause)
        let because = [
          Finding.Reason(seq: protection.modes.enteredAt(vcpu), what: "vCPU \(vcpu) entered integrity mode the last time, and left it since"),
          Finding.Reason(seq: cause, what: "vCPU \(vcpu) asked to leave"),
        ]
        findings.report(
          .integrityUnbalanced, at: event, expected: "only a vCPU in integrity mode leaves it", observed: "one left that was not in it",
          because: because.filter { $0.seq != 0 })
      }
    case .entryPointSet: judgeRegistration(event, "the entry point was set", &protection, &findings)
    case .driverPagesSet: judgeRegistration(event, "driver pages were registered", &protection, &findings)
    case .basePointerSet: judgeRegistration(event, "the base pointer was set", &protection, &findings)
    default: break
    }
  }

  /// Nothing is kept here; `Protection` forgets for all.
  mutating func forget() {}

  /// Every rule here is decided on the spot.
  mutating func finish(_ facts: borrowing Facts, complete: Bool, _ findings: inout FindingCollector, _ undecided: inout [String]) {}
}

extension IntegrityJudge {
  // MARK: Coming and going

  private func judgeEntry(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    let registration = protection.registration
    let rip = event.rip
    if let entry = registration.entryPoint {
      if rip != entry {
        findings.report(
          .integrityEntryPoint, at: event, expected: "integrity mode is entered only from the registered entry point \(gpaText(entry))",
          observed: "an entry from \(gpaText(rip)) was accepted",
          because: [Finding.Reason(seq: registration.entryPointSetAt, what: "the entry point \(gpaText(entry)) was registered")])
      }
    } else if registration.isComplete {
      findings.report(
        .integrityEntryPoint, at: event, expected: "integrity mode is entered only from the registered entry point",
        observed: "an entry from \(gpaText(rip)) was accepted though none is registered")
    }
    let enteredAt = protection.modes.enteredAt(event.vcpu)
    if protection.modes.stateKept(by: event.vcpu) == .inside {
      findings.report(
        .integrityUnbalanced, at: event, expected: "only a vCPU outside integrity mode enters it", observed: "one entered that was in it",
        because: enteredAt == 0 ? [] : [Finding.Reason(seq: enteredAt, what: "the vCPU entered integrity mode")])
    }
  }

  private func judgeExit(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard protection.modes.state(of: event.vcpu) == .inside else { return }
    if event.a == GuestExitReason.shutdown.rawValue {
      judgeEnd(event, "shuts down", &protection, &findings)
      return
    }
    let (rip, vcpu) = (event.rip, event.vcpu)
    let registration = protection.registration
    guard registration.isComplete else { return }
    // The address may be one past the driver's last instruction.
    if registration.codePages.contains(rip >> 12) { return }
    if rip > 0, registration.codePages.contains((rip - 1) >> 12) { return }
    findings.report(
      .integrityLeaked, at: event, expected: "a vCPU in integrity mode runs driver code only",
      observed: "it left the guest at \(gpaText(rip)), outside every driver code page", because: entryReason(vcpu, &protection))
  }

  private func judgeEnd(
    _ event: borrowing EventView, _ what: String, _ protection: inout Protection, _ findings: inout FindingCollector
  ) {
    let vcpu = event.vcpu
    guard protection.modes.state(of: vcpu) == .inside else { return }
    findings.report(
      .integrityLeaked, at: event, expected: "a vCPU leaves integrity mode before it \(what)", observed: "it \(what) in integrity mode",
      because: entryReason(vcpu, &protection))
  }

  private func judgeInterrupt(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard protection.modes.state(of: event.vcpu) == .inside else { return }
    let (vector, cause) = (event.a, event.cause)
    var because = entryReason(event.vcpu, &protection)
    if cause != 0 { because.append(Finding.Reason(seq: cause, what: "interrupt \(vector) was raised")) }
    findings.report(
      .integrityInterrupted, at: event, expected: "no ordinary interrupt is delivered to a vCPU in integrity mode",
      observed: "interrupt \(vector) was", because: because.sorted { $0.seq < $1.seq })
  }

  private func entryReason(_ vcpu: UInt16, _ protection: inout Protection) -> [Finding.Reason] {
    let seq = protection.modes.enteredAt(vcpu)
    return seq == 0 ? [] : [Finding.Reason(seq: seq, what: "vCPU \(vcpu) entered integrity mode")]
  }

  // MARK: Registration

  private func judgeRegistration(
    _ event: borrowing EventView, _ what: String, _ protection: inout Protection, _ findings: inout FindingCollector
  ) {
    let registration = protection.registration
    if let lockedAt = registration.lockedAt {
      findings.report(
        .integrityRegistration, at: event, expected: "nothing is registered after the lock", observed: "\(what) after it",
        because: [Finding.Reason(seq: lockedAt, what: "registration was locked")])
    } else if event.kind == .basePointerSet, registration.basePointer != nil {
      findings.report(
        .integrityRegistration, at: event, expected: "the base pointer is set once", observed: "it was set again",
        because: TreeJudge.baseReason(&protection))
    }
  }

  private func judgeResult(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard event.a == 0, let lockedAt = protection.registration.lockedAt else { return }
    guard let call = protection.call(event.vcpu, seq: event.cause), call.mode == .outside, call.seq > lockedAt else { return }
    guard call.number == Hypercall.protect || call.number == Hypercall.unprotect else { return }
    let name = call.number == Hypercall.protect ? "protection" : "the end of protection"
    let vcpu = event.vcpu
    findings.report(
      .integrityHypercallOutside, seq: event.seq, vcpu: vcpu, gpa: call.first, rip: call.rip,
      expected: "only a vCPU in integrity mode gets \(name) when it asks",
      observed: "vCPU \(vcpu) asked at \(call.seq), outside it, and was answered with success",
      because: [
        Finding.Reason(seq: lockedAt, what: "registration was locked: from here on integrity mode is needed"),
        Finding.Reason(seq: call.seq, what: "vCPU \(vcpu) asked for \(name) of \(call.second) page\(call.second == 1 ? "" : "s") at \(gpaText(call.first))"),
      ])
  }

  // MARK: Driver pages

  private func judgeWrite(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard event.a == WriteOutcome.applied.rawValue, protection.registration.lockedAt != nil else { return }
    guard let kind = protection.registration.driverPageKind(of: event.gpa >> 12) else { return }
    let state = protection.modes.state(of: event.vcpu)
    guard kind == .code || state == .outside else { return }
    let trap = protection.trap(event.vcpu, seq: event.cause)
    reportWrite(event, kind, rip: trap?.rip, trap.map { [Finding.Reason(seq: $0.seq, what: "the write trapped")] } ?? [], &protection, &findings)
  }

  /// A driver page that is not traced, seen because every write is.
  private func judgeGuestWrite(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard protection.registration.lockedAt != nil, let kind = protection.registration.driverPageKind(of: event.gpa >> 12) else { return }
    let state = protection.modes.state(of: event.vcpu)
    guard kind == .code || state == .outside else { return }
    reportWrite(event, kind, rip: event.rip, [], &protection, &findings)
  }

  /// As for the tree: only what was so all the time since the vCPU entered the guest is told.
  private func judgePageWrite(
    _ event: borrowing EventView, _ facts: borrowing Facts, _ protection: inout Protection, _ findings: inout FindingCollector
  ) {
    guard let lockedAt = protection.registration.lockedAt, Int(event.vcpu) < facts.vcpus.count else { return }
    let entered = facts.vcpus[Int(event.vcpu)].lastEnter
    guard entered > lockedAt, let kind = protection.registration.driverPageKind(of: event.gpa >> 12) else { return }
    let isOutside =
      facts.attribution == .everyWrite
      ? protection.modes.isOutside(event.vcpu, since: entered) : protection.modes.areAllOutside(since: entered)
    guard kind == .code || isOutside else { return }
    let vcpu = event.vcpu
    reportWrite(
      event, kind, rip: nil, [Finding.Reason(seq: entered, what: "vCPU \(vcpu) entered the guest: it wrote after that")], &protection, &findings)
  }

  private func reportWrite(
    _ event: borrowing EventView, _ kind: DriverPageKind, rip: UInt64?, _ because: [Finding.Reason], _ protection: inout Protection,
    _ findings: inout FindingCollector
  ) {
    let (vcpu, gpa) = (event.vcpu, event.gpa)
    let lock = Finding.Reason(seq: protection.registration.lockedAt ?? 0, what: "registration was locked")
    findings.report(
      .integrityDriverWrite, seq: event.seq, vcpu: vcpu, gpa: gpa, rip: rip,
      expected: kind == .code ? "driver code is not written after the lock" : "driver data is written only by a vCPU in integrity mode",
      observed: "vCPU \(vcpu) wrote the driver's \(kind) page \(gpaText(gpa & ~4095))", because: [lock] + because)
  }
}
