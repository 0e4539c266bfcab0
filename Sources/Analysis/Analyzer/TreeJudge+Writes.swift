internal import TraceEvents
internal import TreeFormat

/// Writes that a vCPU outside integrity mode should not have made.
extension TreeJudge {
  /// An untraced page was written somewhere between its vCPU's entry into the guest and now: only what was so all that time is told.
  func judgePageWrite(
    _ event: borrowing EventView, _ facts: borrowing Facts, _ protection: inout Protection, _ findings: inout FindingCollector
  ) {
    guard Int(event.vcpu) < facts.vcpus.count else { return }
    let entered = facts.vcpus[Int(event.vcpu)].lastEnter
    guard entered != 0, isOutside(event.vcpu, since: entered, &protection) else { return }
    let frame = event.gpa >> 12
    guard let target = target(event, entered: entered, facts, &protection) else { return }

    let (seq, vcpu) = (event.seq, event.vcpu)
    let who = "vCPU \(vcpu), outside integrity mode,"
    let because = [
      Finding.Reason(seq: target.since.seq, what: "\(actorText(target.since.vcpu)) \(target.how)"),
      Finding.Reason(seq: entered, what: "vCPU \(vcpu) entered the guest: it wrote after that"),
    ]
    if protection.traced.isUntraced(frame, since: entered) {
      reportGap(event, observed: "\(who) wrote it between \(entered) and \(seq)", because: because, &protection, &findings)
    }
    findings.report(
      target.isNode ? .treeNodeWrite : .treeProtectedWrite, at: event,
      expected: "no vCPU outside integrity mode writes \(target.what)",
      observed: "\(who) wrote it between \(entered) and \(seq)", because: because)
  }

  struct Target {
    var isNode: Bool
    var what: String
    var how: String
    var since: ProtectedTree.Moment
    /// A byte of what was written, and since when it has to have been protected.
    var gpa: UInt64
    var certainSince: UInt64
  }

  /// What the tree named, all the time since `entered`, of what the write changed.
  func target(
    _ event: borrowing EventView, entered: UInt64, _ facts: borrowing Facts, _ protection: inout Protection
  ) -> Target? {
    let frame = event.gpa >> 12
    if let node = protection.tree.reached[frame] {
      if case .broken = node.body { return nil }
      guard node.linked.seq <= entered else { return nil }
      return Target(
        isNode: true, what: "the node at \(gpaText(frame << 12))", how: "linked the node", since: node.linked, gpa: frame << 12, certainSince: entered)
    }
    let page = protection.tree.cover(gpa: frame << 12, length: 4096)
    guard let mapping = page.mapping else { return nil }
    if mapping.firstByte == 0, mapping.endByte == 4096 {
      guard page.since.seq <= entered else { return nil }
      return Target(
        isNode: false, what: "the protected page \(gpaText(frame << 12))", how: "published its mapping", since: page.since, gpa: frame << 12,
        certainSince: entered)
    }
    return changedBytes(event, entered: entered, facts, &protection)
  }

  /// Bytes are another matter than pages: a diff shows what changed since the page was last seen, whoever changed it.
  private func changedBytes(
    _ event: borrowing EventView, entered: UInt64, _ facts: borrowing Facts, _ protection: inout Protection
  ) -> Target? {
    guard attribution == .everyWrite else { return nil }
    var earliest = entered
    for index in facts.vcpus.indices {
      let other = facts.vcpus[index]
      // A vCPU that came out before this one went in has had its writes told.
      guard other.isInGuest || other.lastExit > entered, other.lastEnter != 0 else { continue }
      guard protection.modes.isOutside(UInt16(truncatingIfNeeded: index), since: other.lastEnter) else { return nil }
      earliest = min(earliest, other.lastEnter)
    }
    var at = 0
    while at < event.dataCount {
      guard let run = DiffRun(event, at: at) else { return nil }
      let cover = protection.tree.cover(gpa: event.gpa & ~4095 + UInt64(run.offset), length: UInt64(run.count))
      if let mapping = cover.mapping, cover.since.seq <= earliest {
        let bytes = "\(mapping.firstByte)..<\(mapping.endByte)"
        return Target(
          isNode: false, what: "bytes \(bytes) of the page \(gpaText(event.gpa & ~4095))", how: "published their mapping", since: cover.since,
          gpa: event.gpa & ~4095 + UInt64(run.offset), certainSince: earliest)
      }
      at = run.first + run.count
    }
    return nil
  }

  func isOutside(_ vcpu: UInt16, since seq: UInt64, _ protection: inout Protection) -> Bool {
    attribution == .everyWrite ? protection.modes.isOutside(vcpu, since: seq) : protection.modes.areAllOutside(since: seq)
  }

  /// A trapped write that took effect.
  func judgeWriteResult(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard event.a == WriteOutcome.applied.rawValue, protection.modes.state(of: event.vcpu) == .outside else { return }
    let trap = protection.trap(event.vcpu, seq: event.cause)
    judgeEffect(event, rip: trap?.rip, because: trap.map { Finding.Reason(seq: $0.seq, what: "the write trapped") }, &protection, &findings)
  }

  /// A write to a page without a trace, seen because every write is: here nothing is uncertain.
  func judgeGuestWrite(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard protection.modes.state(of: event.vcpu) == .outside else { return }
    let (frame, rip) = (event.gpa >> 12, event.rip)
    let cover = protection.tree.cover(gpa: event.gpa, length: UInt64(event.dataCount / 2))
    let named = protection.tree.reached[frame]?.linked ?? (cover.mapping == nil ? nil : cover.since)
    if let named, protection.traced.isUntraced(frame) {
      let (seq, vcpu) = (event.seq, event.vcpu)
      let reason = Finding.Reason(seq: named.seq, what: "\(actorText(named.vcpu)) made the tree name it")
      reportGap(event, observed: "vCPU \(vcpu), outside integrity mode, wrote it at \(seq)", because: [reason], &protection, &findings)
    }
    judgeEffect(event, rip: rip, because: nil, &protection, &findings)
  }

  private func reportGap(
    _ event: borrowing EventView, observed: String, because: [Finding.Reason], _ protection: inout Protection,
    _ findings: inout FindingCollector
  ) {
    let frame = event.gpa >> 12
    var chain = because
    if let removed = protection.traced.removedAt(frame) {
      chain.append(Finding.Reason(seq: removed, what: "the write trace of the page was removed"))
      chain.sort { $0.seq < $1.seq }
    }
    findings.report(
      .treeGapWrite, at: event, expected: "no write reaches the page \(gpaText(frame << 12)) while the tree names it and no trace is on it",
      observed: observed, because: chain)
  }

  private func judgeEffect(
    _ event: borrowing EventView, rip: UInt64?, because trap: Finding.Reason?, _ protection: inout Protection,
    _ findings: inout FindingCollector
  ) {
    let count = UInt64(event.dataCount / 2)
    let frame = event.gpa >> 12
    guard count >= 1, event.gpa & 4095 + count <= 4096 else { return }
    let node = protection.tree.node(frame)
    let cover = protection.tree.cover(gpa: event.gpa, length: count)
    guard node != nil || cover.mapping != nil else { return }
    let observed = "vCPU \(event.vcpu), outside integrity mode, wrote \(count) byte\(count == 1 ? "" : "s") at \(gpaText(event.gpa)), and the write took effect"
    func because(_ seq: UInt64, _ what: String) -> [Finding.Reason] {
      var chain = [Finding.Reason(seq: seq, what: what)]
      if let trap { chain.append(trap) }
      return chain
    }
    if let node {
      if case .broken = node.body { return }
      findings.report(
        .treeNodeWrite, seq: event.seq, vcpu: event.vcpu, gpa: event.gpa, rip: rip,
        expected: "no vCPU outside integrity mode writes the node at \(gpaText(frame << 12))", observed: observed,
        because: because(node.linked.seq, "\(actorText(node.linked.vcpu)) linked the node"))
    }
    guard let mapping = cover.mapping else { return }
    let bytes = mapping.firstByte == 0 && mapping.endByte == 4096 ? "" : "bytes \(mapping.firstByte)..<\(mapping.endByte) of "
    findings.report(
      .treeProtectedWrite, seq: event.seq, vcpu: event.vcpu, gpa: event.gpa, rip: rip,
      expected: "no vCPU outside integrity mode writes \(bytes)the protected page \(gpaText(frame << 12))", observed: observed,
      because: because(cover.since.seq, "\(actorText(cover.since.vcpu)) published the mapping in the leaf \(gpaText(cover.leaf << 12))"))
  }
}
