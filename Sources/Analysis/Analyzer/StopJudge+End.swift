internal import TraceEvents

/// The end of the recording.
extension StopJudge {
  /// After so long without an event, with every vCPU waiting, nothing was still on its way. In nanoseconds: a thousand times what a stop takes.
  static var silence: UInt64 { 1_000_000_000 }

  /// The trace is over. `complete` says that the recording ended by itself. What is still open goes into `undecided`.
  mutating func finish(_ facts: borrowing Facts, complete: Bool, _ findings: inout FindingCollector, _ undecided: inout [String]) {
    let isStuck = complete && isAtRest
    var lostSignals = false
    for index in vcpus.indices where vcpus[index].place == .offline && vcpus[index].started != 0 {
      let started = vcpus[index].started
      if isStuck {
        reportLostStart(index, &findings)
      } else {
        undecided.append("whether vCPU \(index), started at \(started), comes online")
      }
    }
    for index in vcpus.indices {
      let state = vcpus[index]
      if state.place == .offline || state.place == .unknown && !state.knowsSignals && state.stop == 0 && state.resume == 0 { continue }
      if state.stop != 0 {
        let what = "the stop sent to vCPU \(index) at \(state.stop)"
        if isStuck { reportLost(index, state.stop, "is acknowledged", what, &findings) } else { undecided.append("whether \(what) is acknowledged") }
        lostSignals = true
      }
      if state.resume != 0 {
        let what = "the resume sent to vCPU \(index) at \(state.resume)"
        if isStuck { reportLost(index, state.resume, "is taken", what, &findings) } else { undecided.append("whether \(what) is taken") }
        lostSignals = true
      }
    }
    if isStuck, !lostSignals { judgeForgotten(&findings) }
    for index in vcpus.indices where vcpus[index].latched != 0 && vcpus[index].place != .offline {
      if isStuck {
        reportLostInterrupt(index, &findings)
      } else {
        undecided.append("whether the interrupt for the mode sent to vCPU \(index) at \(vcpus[index].latched) leads to an entry")
      }
    }
  }

  /// Every vCPU waits for another one, or for an interrupt, and long enough: nothing would have moved any more.
  private var isAtRest: Bool {
    guard let end, end.reason == EndReason.allVCPUsHalted.rawValue || silence >= Self.silence else { return false }
    for index in vcpus.indices {
      let state = vcpus[index]
      let isWaiting = state.place == .offline || state.isHeld || (state.place == .outside && state.isHalted && !state.isInGuest)
      if !isWaiting { return false }
    }
    return true
  }

  private func reportLost(_ index: Int, _ seq: UInt64, _ fate: String, _ what: String, _ findings: inout FindingCollector) {
    let state = vcpus[index]
    if explains(state.root ?? (state.toldExposed ? .stopRegionExposed : nil), .stopLostSignal, &findings) { return }
    findings.report(
      .stopLostSignal, seq: seq, vcpu: UInt16(index), expected: "Every signal sent \(fate): \(what) too.",
      observed: "It never was, and when the recording ended every vCPU was waiting: nothing could have moved any more.",
      because: chain(claimReason, exitReason, unmapReason, Finding.Reason(seq: seq, what: "the signal was sent to vCPU \(index)")) + waiters)
  }

  /// Somebody is stopped, no signal is on its way, and nobody is left who would send one.
  private func judgeForgotten(_ findings: inout FindingCollector) {
    guard let index = vcpus.indices.first(where: { vcpus[$0].place == .stopped && vcpus[$0].knowsSignals }) else { return }
    let state = vcpus[index]
    if explains(state.root, .stopLostSignal, &findings) { return }
    findings.report(
      .stopLostSignal, seq: state.since, vcpu: UInt16(index), expected: "Every stopped vCPU is sent a resume when the last one left the mode.",
      observed: "vCPU \(index) never was, and when the recording ended every vCPU was waiting: nothing could have moved any more.",
      because: chain(claimReason, exitReason, unmapReason) + waiters)
  }

  private func reportLostStart(_ index: Int, _ findings: inout FindingCollector) {
    let state = vcpus[index]
    if explains(state.root, .stopCPUSetChanged, &findings) { return }
    findings.report(
      .stopCPUSetChanged, seq: state.started, vcpu: UInt16(index),
      expected: "A vCPU that is started comes online, born stopped where a rendezvous is under way.",
      observed: "vCPU \(index), started at \(state.started), never did, and when the recording ended every vCPU was waiting.",
      because: chain(Finding.Reason(seq: state.started, what: "vCPU \(index) was started")) + waiters)
  }

  private func reportLostInterrupt(_ index: Int, _ findings: inout FindingCollector) {
    let state = vcpus[index]
    if explains(state.root, .stopLostInterrupt, &findings) { return }
    findings.report(
      .stopLostInterrupt, seq: state.latched, vcpu: UInt16(index), expected: "Every interrupt for the mode leads to an entry of its vCPU.",
      observed: "The one sent to vCPU \(index) at \(state.latched) did not, and when the recording ended every vCPU was waiting.",
      because: chain(Finding.Reason(seq: state.latched, what: "an interrupt for the mode was sent to vCPU \(index)")) + waiters)
  }

  /// What each vCPU was waiting for.
  private var waiters: [Finding.Reason] {
    vcpus.indices.compactMap { index in
      let state = vcpus[index]
      return switch state.place {
      case .stopped: Finding.Reason(seq: state.since, what: "vCPU \(index) went into the stop state, and waits for a resume")
      case .claiming: Finding.Reason(seq: state.since, what: "vCPU \(index) claimed first-in, and waits for the others to stop")
      case .leaving: Finding.Reason(seq: state.since, what: "vCPU \(index) left the mode as the last one, and has not returned")
      case .outside: Finding.Reason(seq: state.haltedSince, what: "vCPU \(index) halted, and waits for an interrupt")
      default: nil
      }
    }
  }
}
