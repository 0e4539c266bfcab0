internal import TraceEvents

/// What a vCPU does of its own: executing, completing hypercalls, being interrupted.
extension StopJudge {
  /// An entry into the guest that is more than ordinary execution outside any rendezvous.
  @inline(never)
  mutating func judgeGuestEnter(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    switch state.place {
    case .stopped, .claiming, .leaving:
      if !judgeNotLast(event, state, &findings) { reportRan(event, "entered the guest", &findings) }
      judgeFreed(event, &findings)
    case .outside:
      if state.owesReturn { reportRan(event, "entered the guest before it returned from the mode", &findings) }
      judgeFreed(event, &findings)
      judgeResumption(event, state, &findings)
      vcpus[index].hasJustReturned = false
      if region.contains(event.rip) { reportRegionEntry(event, &findings) }
    case .offline:
      // The trace does not say when it came online; from here on it is.
      move(index, to: .outside, at: event.seq)
      judgeFreed(event, &findings)
    case .inMode, .unknown: break
    }
  }

  private func reportRegionEntry(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let (vcpu, rip) = (event.vcpu, event.rip)
    findings.report(
      .stopRegionAccess, at: event, expected: "Only a vCPU in the mode executes the region.",
      observed: "vCPU \(vcpu), outside the mode, entered the guest at \(gpaText(rip)) in the region.", because: chain(mapReason, unmapReason))
  }

  /// A vCPU that was halted, or owed a hypercall's result, when it was stopped does not just go on executing.
  private mutating func judgeResumption(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) {
    guard state.hasJustReturned, state.saved.seq != 0, state.isHalted || state.hypercall != 0 else { return }
    vcpus[Int(event.vcpu)].isHalted = false
    vcpus[Int(event.vcpu)].hypercall = 0
    if explains(state.root, .stopWrongReturn, &findings) { return }
    let (seq, vcpu) = (event.seq, event.vcpu)
    let was = state.isHalted ? "halted" : "waiting for the result of a hypercall"
    findings.report(
      .stopWrongReturn, at: event, expected: "vCPU \(vcpu), \(was) when it was stopped, is so again afterwards.",
      observed: "It entered the guest at \(seq), and nothing had ended that.",
      because: chain(
        Finding.Reason(seq: state.isHalted ? state.haltedSince : 0, what: "vCPU \(vcpu) had halted"),
        Finding.Reason(seq: state.saved.seq, what: "where vCPU \(vcpu) was, was taken down"),
        Finding.Reason(seq: state.since, what: "vCPU \(vcpu) went back to it")))
  }

  /// A vCPU that counts as stopped did something.
  mutating func reportRan(_ event: borrowing EventView, _ did: String, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    if state.toldRan { return }
    vcpus[index].toldRan = true
    if explains(state.root, .stopRanWhileStopped, &findings) { return }
    let (seq, vcpu) = (event.seq, event.vcpu)
    let (became, how) = heldText(state)
    findings.report(
      .stopRanWhileStopped, at: event, expected: "A stopped vCPU executes nothing until it takes a resume or enters the mode.",
      observed: "vCPU \(vcpu) \(did) at \(seq), though \(how).",
      because: chain(
        Finding.Reason(seq: state.since, what: became),
        Finding.Reason(seq: state.resume, what: "a resume was sent to vCPU \(vcpu), which it has not taken")))
    vcpus[index].root = .stopRanWhileStopped
  }

  private func heldText(_ state: VCPU) -> (became: String, how: String) {
    switch state.place {
    case .claiming: ("it claimed first-in", "it had claimed first-in at \(state.since) and not entered")
    case .leaving: ("it left the mode as the last one", "it left the mode at \(state.since) and had not returned")
    case .outside: ("it left the mode as the last one", "it had not returned from the mode that it left at \(state.since)")
    default:
      state.leftNotLast
        ? ("it left the mode, not as the last one", "it was in the stop state since it left the mode at \(state.since)")
        : state.wasBornStopped
          ? ("it came online stopped", "it came online stopped at \(state.since)")
          : ("it acknowledged the stop", "it was in the stop state since \(state.since)")
    }
  }

  mutating func judgeHypercallResult(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    if vcpus[index].place == .stopped, vcpus[index].hypercall != 0 { reportRan(event, "was answered a hypercall", &findings) }
    if vcpus[index].place != .inMode { vcpus[index].hypercall = 0 }
  }

  // MARK: Ordinary interrupts

  mutating func judgeUnhalt(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    judgeOrdinaryWake(event, "was woken from its halt", &findings)
    vcpus[Int(event.vcpu)].isHalted = false
  }

  mutating func judgeDelivery(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let vector = event.a
    judgeOrdinaryWake(event, "was delivered interrupt \(vector)", &findings)
  }

  /// An ordinary interrupt for a stopped vCPU is held until it is out of the stop state.
  private mutating func judgeOrdinaryWake(_ event: borrowing EventView, _ what: @autoclosure () -> String, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    guard state.isHeld else { return }
    vcpus[index].root = .stopWrongWake
    if explains(state.root, .stopWrongWake, &findings) { return }
    let (seq, vcpu, cause, did) = (event.seq, event.vcpu, event.cause, what())
    let (became, how) = heldText(state)
    findings.report(
      .stopWrongWake, at: event, expected: "An ordinary interrupt for a stopped vCPU waits until it is out of the stop state.",
      observed: "vCPU \(vcpu) \(did) at \(seq), though \(how).",
      because: chain(Finding.Reason(seq: state.since, what: became), Finding.Reason(seq: cause, what: "the interrupt was sent")))
  }
}
