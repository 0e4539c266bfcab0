internal import TraceEvents

/// The region: when it is in the view, who is at large meanwhile, who touches it.
extension StopJudge {
  mutating func judgeMap(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    judgeSender(event, &findings)
    view = .mapped
    now.map = event.seq
    let exposed = atLarge { !$0.toldExposed }
    let unexplained = exposed.filter { !explains(vcpus[$0].root, .stopRegionExposed, &findings) }
    for index in exposed { vcpus[index].toldExposed = true }
    guard !unexplained.isEmpty else { return }
    let seq = event.seq
    let waited = Self.waitedFor(event)
    let names = Self.list(unexplained)
    findings.report(
      .stopRegionExposed, at: event, expected: "The region is added to the view only when every vCPU is stopped or in the mode.",
      observed: "It was added at \(seq) while \(names) neither: any of them can read and overwrite privileged code.",
      because: chain(claimReason) + atLargeReasons(unexplained) + [Finding.Reason(seq: seq, what: "the region was added; " + waited)])
  }

  /// A vCPU that is outside from here on must find the region gone and the mode empty.
  mutating func judgeFreed(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    guard now.inMode > 0 || view == .mapped else { return }
    let index = Int(event.vcpu)
    let state = vcpus[index]
    let (seq, vcpu, kind) = (event.seq, event.vcpu, event.kind)
    if now.inMode > 0, !state.toldUnstopped {
      vcpus[index].toldUnstopped = true
      if !explains(state.root, .stopUnstoppedPeer, &findings) {
        let peers = insiders(besides: index)
        let names = insiderNames(besides: index)
        findings.report(
          .stopUnstoppedPeer, at: event, expected: "While a vCPU is in the mode, every other one is stopped or in it too.",
          observed: "vCPU \(vcpu) went on (\(kind.name) at \(seq)) while \(names) in the mode.", because: chain(mapReason) + peers)
      }
    }
    if view == .mapped, !state.toldExposed {
      vcpus[index].toldExposed = true
      if explains(state.root, .stopRegionExposed, &findings) { return }
      findings.report(
        .stopRegionExposed, at: event, expected: "The region is in the view only while every vCPU is stopped or in the mode.",
        observed: "vCPU \(vcpu) went on (\(kind.name) at \(seq)) while the region was in the view.", because: chain(mapReason, exitReason))
    }
  }

  /// An entry while another vCPU is neither stopped nor in.
  mutating func judgePeers(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let entering = Int(event.vcpu)
    let peers = atLarge { !$0.toldUnstopped }.filter { $0 != entering }
    let unexplained = peers.filter { !explains(vcpus[$0].root, .stopUnstoppedPeer, &findings) }
    for index in peers { vcpus[index].toldUnstopped = true }
    guard !unexplained.isEmpty else { return }
    let (seq, vcpu) = (event.seq, event.vcpu)
    let executing = unexplained.filter { vcpus[$0].isInGuest }
    let names = Self.list(unexplained)
    let detail = executing.isEmpty ? "" : "; " + Self.list(executing) + " executing guest code"
    findings.report(
      .stopUnstoppedPeer, at: event, expected: "When a vCPU enters the mode, every other online vCPU is stopped or in the mode.",
      observed: "vCPU \(vcpu) entered at \(seq) while \(names) neither\(detail).",
      because: chain(claimReason, mapReason) + atLargeReasons(unexplained))
  }

  func reportEntryUnmapped(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    if explains(nil, .stopEntryUnmapped, &findings) { return }
    let (seq, vcpu) = (event.seq, event.vcpu)
    let since = now.unmap != 0 ? "it was removed at \(now.unmap)" : "it was not added in this rendezvous"
    findings.report(
      .stopEntryUnmapped, at: event, expected: "A vCPU is in the mode only while the region is in the view.",
      observed: "vCPU \(vcpu) entered at \(seq) without the region: \(since).", because: chain(claimReason, mapReason, unmapReason))
  }

  mutating func judgeUnmap(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let isBeforeEntry = now.phase == .claimed && view == .mapped
    if now.inMode > 0 || isBeforeEntry {
      if !explains(nil, .stopEarlyUnmap, &findings) {
        let (seq, names, peers) = (event.seq, insiderNames(besides: -1), insiders(besides: -1))
        findings.report(
          .stopEarlyUnmap, at: event, expected: "The region leaves the view only after the last vCPU left the mode.",
          observed: isBeforeEntry
            ? "It was removed at \(seq), before the first one entered." : "It was removed at \(seq) while \(names) in the mode.",
          because: chain(claimReason, mapReason, exitReason) + peers)
        if now.inMode > 0 { findings.follow(.stopEntryUnmapped, from: .stopEarlyUnmap) }
        now.root = .stopEarlyUnmap
      }
    }
    view = .unmapped
    now.unmap = event.seq
  }

  // MARK: Touching it

  mutating func judgeRegionWrite(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let state = vcpus[Int(event.vcpu)]
    if mayWriteRegion(Int(event.vcpu)) { return }
    let (vcpu, gpa) = (event.vcpu, event.gpa)
    findings.report(
      .stopRegionAccess, at: event, expected: "Only a vCPU in the mode writes the region.",
      observed: "vCPU \(vcpu) wrote the region's page \(gpaText(gpa)) some time after it entered the guest at \(state.lastEnter), outside the mode.",
      because: chain(
        mapReason, Finding.Reason(seq: state.lastEnter, what: "vCPU \(vcpu) entered the guest outside the mode"),
        Finding.Reason(seq: state.stop, what: "a stop signal was sent to it, which it has not acknowledged")))
  }

  /// The guest was left at an address in the region by a vCPU that did not enter it in the mode.
  mutating func judgeRegionExecution(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let state = vcpus[Int(event.vcpu)]
    guard state.isInGuest, state.enteredFrom != .unknown else { return }
    // A jump to where nothing is fails: it executes nothing, and is a touch of the region that is answered as such.
    let reason = GuestExitReason(rawValue: event.a)
    if reason == .emulationFailure || reason == .internalError, view == .unmapped { return }
    let (seq, vcpu, rip) = (event.seq, event.vcpu, event.rip)
    findings.report(
      .stopRegionAccess, at: event, expected: "Only a vCPU in the mode executes the region.",
      observed: "vCPU \(vcpu), outside the mode, was at \(gpaText(rip)) in the region at \(seq).",
      because: chain(mapReason, Finding.Reason(seq: state.lastEnter, what: "vCPU \(vcpu) entered the guest outside the mode")))
  }

  /// A touch of the region while it was not in the view. From outside the mode that is refused: nothing was there to be read or overwritten, and
  /// whether an alert answered it is a matter of alerts.
  mutating func judgeRegionAccess(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let state = vcpus[Int(event.vcpu)]
    let (vcpu, gpa) = (event.vcpu, event.gpa)
    let verb = event.a == AccessKind.write.rawValue ? "wrote" : event.a == AccessKind.execute.rawValue ? "executed" : "read"
    if state.place == .inMode {
      guard view == .unmapped, !explains(nil, .stopEntryUnmapped, &findings) else { return }
      findings.report(
        .stopEntryUnmapped, at: event, expected: "A vCPU is in the mode only while the region is in the view.",
        observed: "vCPU \(vcpu), in the mode, \(verb) the region, which was not there.",
        because: chain(mapReason, unmapReason, Finding.Reason(seq: state.since, what: "vCPU \(vcpu) entered the mode")))
    } else if state.place != .unknown, view == .mapped {
      findings.report(
        .stopRegionAccess, at: event, expected: "No vCPU outside the mode touches the region.",
        observed: "vCPU \(vcpu) \(verb) \(gpaText(gpa)) in the region while it was in the view.",
        because: chain(mapReason, Finding.Reason(seq: state.lastEnter, what: "vCPU \(vcpu) entered the guest outside the mode")))
    }
  }

  mutating func judgeTrappedWrite(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    let isTrap = event.kind != .writeResult
    if region.contains(event.gpa), isTrap, state.place != .inMode, state.place != .unknown {
      let (vcpu, gpa) = (event.vcpu, event.gpa)
      findings.report(
        .stopRegionAccess, at: event, expected: "Only a vCPU in the mode writes the region.",
        observed: "vCPU \(vcpu), outside the mode, wrote at \(gpaText(gpa)) in the region.", because: chain(mapReason))
    }
    let tookEffect = event.a == WriteOutcome.applied.rawValue
    if state.isHeld, isTrap || tookEffect {
      reportRan(event, isTrap ? "made a write" : "had a write take effect", &findings)
    }
  }
}
