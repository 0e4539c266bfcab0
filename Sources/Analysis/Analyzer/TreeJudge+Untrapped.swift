internal import TraceEvents
internal import TreeFormat

/// Recordings in which no write traps. What is in a node is known as of the last page-write told of it, and a page-write comes late: who wrote a page
/// that the tree protected may have done so just after somebody else let go of it, in a write that is told later.
extension TreeJudge {
  /// A page-write that broke a rule if the tree stayed what it was until it is certain who wrote when.
  struct UntrappedWrite {
    var seq: UInt64
    var vcpu: UInt16
    var gpa: UInt64
    var entered: UInt64
    /// What it broke; nil where the tree names no such thing, as far as is known.
    var target: Target?
    /// The nodes by which the page is what it is.
    var path: [UInt64] = []
    /// vCPUs that were in the guest too: what they wrote meanwhile is yet to be told.
    var waitsFor: [UInt16]
  }

  static let untrappedLimit = 1024

  /// Takes in a page-write to a page that protection once had to do with.
  mutating func noteUntrapped(_ event: borrowing EventView, _ facts: borrowing Facts, _ protection: inout Protection) {
    let (seq, frame) = (event.seq, event.gpa >> 12)
    if protection.tree.known.isKnown(frame) { nodeWrites[frame] = seq }
    guard Int(event.vcpu) < facts.vcpus.count, protection.registration.driverPagesEnd(frame) == nil else { return }
    let entered = facts.vcpus[Int(event.vcpu)].lastEnter
    guard entered != 0, isOutside(event.vcpu, since: entered, &protection) else {
      // In integrity mode it is the driver's business; where it is not certain whose write it is, nobody's.
      if attribution != .everyWrite, protection.registration.lockedAt != nil { leaveUndecided(seq) }
      return
    }
    guard untrapped.count < Self.untrappedLimit else { return leaveUndecided(seq) }
    var write = UntrappedWrite(seq: seq, vcpu: event.vcpu, gpa: event.gpa, entered: entered, waitsFor: [event.vcpu])
    let writer = Int(event.vcpu)
    for index in facts.vcpus.indices where facts.vcpus[index].isInGuest && index != writer {
      write.waitsFor.append(UInt16(truncatingIfNeeded: index))
    }
    if let target = target(event, entered: entered, facts, &protection) {
      write.target = target
      var at = target.isNode ? protection.tree.reached[frame]?.slot.parent : protection.tree.cover(gpa: target.gpa, length: 1).leaf
      while let node = at, let reached = protection.tree.reached[node] {
        write.path.append(node)
        at = reached.slot.parent
      }
    } else if touchesWhatIsNamed(event, &protection) {
      // It came to be named, or the vCPU to be outside integrity mode, after it may have been written.
      return leaveUndecided(seq)
    }
    untrapped.append(write)
  }

  private func touchesWhatIsNamed(_ event: borrowing EventView, _ protection: inout Protection) -> Bool {
    let page = event.gpa & ~4095
    if protection.tree.reached[event.gpa >> 12] != nil { return true }
    guard event.dataCount > 0 else {
      let mapping = protection.tree.cover(gpa: page, length: 4096).mapping
      return mapping?.firstByte == 0 && mapping?.endByte == 4096
    }
    var at = 0
    while let run = DiffRun(event, at: at) {
      if protection.tree.cover(gpa: page + UInt64(run.offset), length: UInt64(run.count)).mapping != nil { return true }
      at = run.first + run.count
    }
    return false
  }

  /// The vCPU goes on: all that it wrote before is told.
  mutating func settleUntrapped(_ vcpu: UInt16, _ findings: inout FindingCollector) {
    for index in untrapped.indices { untrapped[index].waitsFor.removeAll { $0 == vcpu } }
    let due = untrapped.filter { $0.waitsFor.isEmpty }
    guard !due.isEmpty else { return }
    untrapped.removeAll { $0.waitsFor.isEmpty }
    for write in due { settle(write, &findings) }
  }

  private mutating func settle(_ write: UntrappedWrite, _ findings: inout FindingCollector) {
    let since = min(write.entered, write.target?.certainSince ?? .max)
    guard let target = write.target else {
      // Nothing names it. Whether that was so at the time is certain only if no node was written meanwhile.
      if nodeWrites.contains(where: { $0.value > since && $0.key != write.gpa >> 12 }) { leaveUndecided(write.seq) }
      return
    }
    guard !write.path.contains(where: { nodeWrites[$0] ?? 0 > since }) else { return leaveUndecided(write.seq) }
    findings.report(
      target.isNode ? .treeNodeWrite : .treeProtectedWrite, seq: write.seq, vcpu: write.vcpu, gpa: write.gpa,
      expected: "no vCPU outside integrity mode writes \(target.what)",
      observed: "vCPU \(write.vcpu), outside integrity mode, wrote it between \(write.entered) and \(write.seq)",
      because: [
        Finding.Reason(seq: target.since.seq, what: "\(actorText(target.since.vcpu)) \(target.how)"),
        Finding.Reason(seq: write.entered, what: "vCPU \(write.vcpu) entered the guest: it wrote after that"),
      ])
  }

  private mutating func leaveUndecided(_ seq: UInt64) {
    if undecidedWrites == 0 { firstUndecided = seq }
    undecidedWrites += 1
  }

  /// Whether the tree can be read at all: without what is in its nodes nobody knows what it protects.
  mutating func noteReadability(_ event: borrowing EventView, _ protection: inout Protection) {
    if unreadableAt == 0, protection.tree.opaqueCount > 0 { unreadableAt = event.seq }
  }

  mutating func finishUntrapped(_ facts: borrowing Facts, complete: Bool, _ findings: inout FindingCollector, _ undecided: inout [String]) {
    for index in facts.vcpus.indices where complete || !facts.vcpus[index].isInGuest {
      settleUntrapped(UInt16(truncatingIfNeeded: index), &findings)
    }
    for write in untrapped { leaveUndecided(write.seq) }
    if unreadableAt > 0 {
      undecided.append("what the tree protects, and whether anything of it was written: at \(unreadableAt) it led to pages whose contents are not known")
    }
    if undecidedWrites > 0 {
      let what = undecidedWrites == 1 ? "the page-write \(firstUndecided) was" : "\(undecidedWrites) page-writes, the first at \(firstUndecided), were"
      undecided.append("whether \(what) to what the tree protected: no write traps in this recording, and the tree was being changed at the time")
    }
  }
}
