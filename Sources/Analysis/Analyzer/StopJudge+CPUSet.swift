internal import TraceEvents

/// vCPUs that come and go, during a rendezvous above all.
extension StopJudge {
  mutating func judgeOnline(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let (seq, vcpu, number) = (event.seq, event.vcpu, event.b)
    let isStopped = event.a != 0
    let problem: String?
    if now.phase == .unknown {
      problem = nil
    } else if !isStopped {
      problem = now.phase == .free ? nil : "came online running at \(seq), in the middle of rendezvous \(now.number)"
    } else if now.phase == .free {
      problem = "came online stopped at \(seq), though no rendezvous was under way that would resume it"
    } else {
      problem = number == now.number ? nil : "came online into rendezvous \(number) at \(seq), while rendezvous \(now.number) was under way"
    }
    let latched = (vcpus[index].latched, vcpus[index].latchedLast)
    vcpus[index] = VCPU(
      wasBornStopped: isStopped, onlineSince: seq, stoppedBy: number, latched: latched.0, latchedLast: latched.1,
      saved: Saved(seq: seq, activity: 0, hasRegisters: false, ownActivity: 0, knowsOwn: true))
    if let problem, !explains(nil, .stopCPUSetChanged, &findings) {
      findings.report(
        .stopCPUSetChanged, at: event,
        expected: "A vCPU that comes online during a rendezvous is born stopped into it; at any other time it runs.",
        observed: "vCPU \(vcpu) \(problem).", because: chain(claimReason, mapReason, entryReason, exitReason))
      vcpus[index].root = .stopCPUSetChanged
    }
    move(index, to: isStopped ? .stopped : .outside, at: seq)
    vcpus[index].wasBornStopped = isStopped
    if !isStopped { judgeFreed(event, &findings) }
  }

  mutating func judgeOffline(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    let (seq, vcpu, cause) = (event.seq, event.vcpu, event.cause)
    let problem: String?
    if state.isHeld || state.place == .inMode {
      problem = "went offline at \(seq), out of \(state.place == .inMode ? "the mode" : "the stop state")"
    } else if state.stop != 0, cause != state.stop {
      problem = "went offline at \(seq) with the stop sent at \(state.stop) on its way, and does not count as its answer"
    } else {
      problem = nil
    }
    if let problem, !explains(state.root, .stopCPUSetChanged, &findings) {
      findings.report(
        .stopCPUSetChanged, at: event,
        expected: "A vCPU goes offline outside the stop state and the mode, and answers thereby a stop on its way to it.",
        observed: "vCPU \(vcpu) \(problem).",
        because: chain(
          claimReason, Finding.Reason(seq: state.stop, what: "a stop signal was sent to vCPU \(vcpu)"),
          Finding.Reason(seq: state.place == .unknown ? 0 : state.since, what: "vCPU \(vcpu) came to where it was")))
    }
    if state.latched != 0, !explains(state.root, .stopLostInterrupt, &findings) {
      findings.report(
        .stopLostInterrupt, at: event,
        expected: "A vCPU with an interrupt for the mode latched does not go offline: the interrupt leads to an entry first.",
        observed: "vCPU \(vcpu) went offline at \(seq): the interrupt is lost.",
        because: chain(Finding.Reason(seq: state.latched, what: "an interrupt for the mode was sent to vCPU \(vcpu)")))
    }
    move(index, to: .offline, at: seq)
    let root = vcpus[index].root
    vcpus[index] = VCPU(root: root, since: seq)
  }
}
