internal import TraceEvents

/// Stops, acks, resumes, and the interrupts that ask for the mode.
extension StopJudge {
  /// An interrupt that does not coalesce finds none latched: if one should be, it was lost.
  mutating func judgeRaise(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    guard event.a < UInt64(vcpus.count) else { return }
    let target = Int(event.a)
    let (seq, latched, root) = (event.seq, vcpus[target].latched, vcpus[target].root)
    vcpus[target].latchedLast = seq
    if latched == 0 { vcpus[target].latched = seq }
    guard latched != 0, event.b == 0 else { return }
    vcpus[target].latched = seq
    if explains(root, .stopLostInterrupt, &findings) { return }
    findings.report(
      .stopLostInterrupt, seq: seq, vcpu: UInt16(target),
      expected: "An interrupt for the mode stays latched until its vCPU enters, and a further one coalesces into it.",
      observed: "The one sent to vCPU \(target) at \(seq) found none latched, though that vCPU has not entered since the one sent at \(latched).",
      because: chain(
        Finding.Reason(seq: vcpus[target].since, what: "vCPU \(target) came to where it was then"),
        Finding.Reason(seq: latched, what: "an interrupt for the mode was sent to vCPU \(target), which led to no entry")))
  }

  // MARK: Stop

  mutating func judgeStopSend(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    guard event.a < UInt64(vcpus.count) else { return }
    let target = Int(event.a)
    judgeSender(event, &findings)
    let (seq, number) = (event.seq, event.b)
    if takesStop(target, number, at: seq) { return }
    let state = vcpus[target]
    if state.place == .offline || (state.place == .stopped && state.wasBornStopped) {
      judgeStopOfAbsent(event, state, &findings)
    } else if state.knowsSignals, state.stop != 0 || state.resume != 0 || state.place == .stopped {
      if !explains(state.root ?? (state.toldExposed ? .stopRegionExposed : nil), .stopDoubleSignal, &findings) {
        let first = firstSignal(of: state)
        findings.report(
          .stopDoubleSignal, at: event,
          expected: "A stop signal goes only to a vCPU that took every signal sent to it before and is not stopped.",
          observed: "vCPU \(target) was sent a stop for rendezvous \(number) at \(seq), though \(first.what).",
          because: chain(claimReason, Finding.Reason(seq: first.seq, what: first.event)))
      }
    }
    if state.place == .offline { return }
    vcpus[target].stop = seq
    vcpus[target].stopNumber = number
  }

  /// What a vCPU still had to take when a stop was sent to it.
  private func firstSignal(of state: VCPU) -> (seq: UInt64, what: String, event: String) {
    if state.stop != 0 { return (state.stop, "it had not acknowledged the stop sent at \(state.stop)", "a stop signal was sent to it") }
    if state.resume != 0 { return (state.resume, "it had not taken the resume sent at \(state.resume)", "a resume was sent to it") }
    return (state.since, "it was in the stop state since \(state.since)", "it went into the stop state")
  }

  private func judgeStopOfAbsent(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) {
    let (target, seq) = (event.a, event.seq)
    let isOffline = state.place == .offline
    if explains(state.root, .stopCPUSetChanged, &findings) { return }
    findings.report(
      .stopCPUSetChanged, at: event,
      expected: "Stop signals go to the vCPUs that were online when the rendezvous was claimed, and are.",
      observed: isOffline
        ? "vCPU \(target) was sent a stop at \(seq), though it is offline and can never acknowledge it."
        : "vCPU \(target) was sent a stop at \(seq), though it came online stopped, in this rendezvous.",
      because: chain(
        claimReason, Finding.Reason(seq: state.since, what: "vCPU \(target) " + (isOffline ? "went offline" : "came online stopped"))))
  }

  /// Only the vCPU that claimed first-in sends stops.
  mutating func judgeSender(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    if maySendStops(Int(event.vcpu)) { return }
    if explains(nil, .stopDoubleFirst, &findings) { return }
    let (sender, claimant) = (event.vcpu, now.claimant)
    findings.report(
      .stopDoubleFirst, at: event, expected: "Only vCPU \(claimant), which claimed first-in, stops the others.",
      observed: "vCPU \(sender) sends stops too: both take the first-in path.", because: chain(claimReason))
    now.root = .stopDoubleFirst
  }

  mutating func judgeAck(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let isInGuest = vcpus[index].isInGuest
    let isAnswer = answersStop(index, event.cause)
    if isInGuest || !isAnswer, !judgeOddAck(event, vcpus[index], isAnswer: isAnswer, &findings) { return }
    noteAck(index, event.b, event.account, at: event.seq)
    vcpus[index].toldRan = isInGuest
  }

  /// An ack out of the guest, or of no stop signal; false where it puts nobody in the stop state.
  private mutating func judgeOddAck(_ event: borrowing EventView, _ state: VCPU, isAnswer: Bool, _ findings: inout FindingCollector) -> Bool {
    let (index, seq, vcpu) = (Int(event.vcpu), event.seq, event.vcpu)
    if state.isInGuest, state.place != .unknown, !explains(state.root, .stopRanWhileStopped, &findings) {
      findings.report(
        .stopRanWhileStopped, at: event, expected: "A vCPU leaves the guest before it says that it is stopped.",
        observed: "vCPU \(vcpu) acknowledged at \(seq) while it executed guest code: it entered the guest at \(state.lastEnter) and had not left it.",
        because: chain(
          Finding.Reason(seq: state.stop, what: "a stop signal was sent to vCPU \(vcpu)"),
          Finding.Reason(seq: state.lastEnter, what: "vCPU \(vcpu) entered the guest")))
      vcpus[index].toldRan = true
    }
    guard state.knowsSignals, !isAnswer else { return true }
    if !explains(state.root, .stopSpuriousAck, &findings) { reportSpuriousAck(event, state, &findings) }
    vcpus[index].root = .stopSpuriousAck
    // Nobody stopped it: it counts as stopped for nobody. What it says of where it is, it will be held to all the same.
    if state.stop != 0 { return true }
    if state.place == .outside { save(index, event.account, at: seq) }
    return false
  }

  private func reportSpuriousAck(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) {
    let (seq, vcpu, cause) = (event.seq, event.vcpu, event.cause)
    let awaited = state.stop == 0 ? "no stop signal was on its way to it" : "the one on its way was sent at \(state.stop)"
    let named = cause == 0 ? "names no stop signal" : "names \(cause)"
    findings.report(
      .stopSpuriousAck, at: event, expected: "An acknowledgement answers the stop signal that was sent to its vCPU.",
      observed: "The one of vCPU \(vcpu) at \(seq) \(named), and \(awaited).",
      because: chain(
        claimReason, Finding.Reason(seq: state.stop, what: "a stop signal was sent to vCPU \(vcpu)"),
        Finding.Reason(seq: state.place == .stopped ? state.since : 0, what: "vCPU \(vcpu) was already in the stop state")))
  }

  /// Takes down what the vCPU was doing, by the recorder's account and by our own.
  mutating func save(_ index: Int, _ account: Account, at seq: UInt64) {
    vcpus[index].saved = Saved(
      seq: seq, activity: account.activity, digest: account.digest, rip: account.rip, hasRegisters: true, ownActivity: vcpus[index].activity,
      knowsOwn: vcpus[index].knowsActivity)
  }

  // MARK: Resume

  mutating func judgeResumeSend(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    guard event.a < UInt64(vcpus.count) else { return }
    let target = Int(event.a)
    let (seq, number) = (event.seq, event.b)
    if takesResume(target, number, at: seq) { return }
    let state = vcpus[target]
    if state.knowsSignals, state.resume != 0 {
      if !explains(state.root, .stopDoubleSignal, &findings) {
        findings.report(
          .stopDoubleSignal, at: event, expected: "A second resume goes to a vCPU only after it took the first.",
          observed: "vCPU \(target) was sent another at \(seq), though it had not taken the one sent at \(state.resume).",
          because: chain(exitReason, unmapReason, Finding.Reason(seq: state.resume, what: "the first resume was sent to vCPU \(target)")))
      }
    }
    let isPremature = now.inMode > 0
    if view == .mapped, !isPremature, now.phase == .leaving || now.phase == .handedOver { judgeLateUnmap(event, &findings) }
    // A vCPU that an earlier break let run has nothing to take.
    if state.place == .outside, state.stop == 0, state.root != nil { return }
    if state.place == .offline { return }
    vcpus[target].resume = seq
    vcpus[target].resumeNumber = number
    vcpus[target].resumeIsPremature = isPremature
  }

  private mutating func judgeLateUnmap(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let (seq, target) = (event.seq, event.a)
    let because = chain(mapReason, exitReason)
    if explains(nil, .stopLateUnmap, &findings) { return }
    findings.report(
      .stopLateUnmap, at: event, expected: "The region leaves the view after the last exit, before the first resume is sent.",
      observed: "vCPU \(target) was sent a resume at \(seq) while the region was in the view.", because: because)
    now.root = .stopLateUnmap
  }

  mutating func judgeResumeTake(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    if !isOrdinaryWake(index, event.cause, event.b, event.account) { judgeOddWake(event, vcpus[index], &findings) }
    noteWake(index, activity: event.a, at: event.seq)
    judgeFreed(event, &findings)
  }

  private mutating func judgeOddWake(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) {
    var isWrong = false
    if state.place == .stopped || state.place == .inMode || state.place == .claiming { isWrong = judgeWake(event, state, &findings) }
    if state.place == .leaving { isWrong = judgeNotLast(event, state, &findings) }
    if state.place == .stopped, !isWrong { judgeReturn(event, state, &findings) }
  }

  /// Whether the resume that a vCPU takes is one that it may take.
  private mutating func judgeWake(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) -> Bool {
    let (seq, vcpu, cause, number) = (event.seq, event.vcpu, event.cause, event.b)
    let index = Int(vcpu)
    let problem: String
    if state.place != .stopped {
      problem = "it took a resume at \(seq) though it was not stopped"
    } else if state.resume == 0, state.knowsSignals {
      problem = "it left the stop state at \(seq) though no resume was sent to it"
    } else if state.knowsSignals || state.resume != 0, cause != state.resume {
      problem = "it left the stop state at \(seq) by \(cause), which is not the resume sent to it at \(state.resume)"
    } else if state.resume != 0, state.resumeNumber != state.stoppedBy || number != state.stoppedBy {
      problem = "it was stopped by rendezvous \(state.stoppedBy), and the resume that it took is of rendezvous \(state.resumeNumber)"
    } else if state.resumeIsPremature {
      problem = "the resume that it took was sent at \(state.resume), while a vCPU was in the mode"
    } else {
      return false
    }
    if judgeNotLast(event, state, &findings) { return true }
    if !explains(state.root, .stopWrongWake, &findings) {
      let peers = insiders(besides: index)
      findings.report(
        .stopWrongWake, at: event,
        expected: "vCPU \(vcpu) leaves the stop state by a resume of the rendezvous that stopped it, sent after the last exit, or into the mode.",
        observed: "vCPU \(vcpu): \(problem).",
        because: chain(
          Finding.Reason(seq: state.since, what: "vCPU \(vcpu) went into the stop state, by rendezvous \(state.stoppedBy)"),
          Finding.Reason(seq: state.resume, what: "a resume of rendezvous \(state.resumeNumber) was sent to it"), exitReason) + peers)
    }
    vcpus[index].root = .stopWrongWake
    return true
  }

  /// A vCPU that left the mode, not as the last one, and goes on while others are still in.
  mutating func judgeNotLast(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) -> Bool {
    guard now.inMode > 0, state.place == .leaving || (state.place == .stopped && state.leftNotLast) else { return false }
    let index = Int(event.vcpu)
    if !explains(state.root, .stopNotLastResumed, &findings) {
      let (seq, vcpu, kind) = (event.seq, event.vcpu, event.kind)
      let peers = insiders(besides: index)
      let names = insiderNames(besides: index)
      findings.report(
        .stopNotLastResumed, at: event, expected: "A vCPU that leaves the mode while others are in goes to the stop state until the last one left.",
        observed: "vCPU \(vcpu) went on (\(kind.name) at \(seq)) while \(names) in the mode.",
        because: chain(mapReason) + peers + [Finding.Reason(seq: state.since, what: "vCPU \(vcpu) left the mode")])
    }
    vcpus[index].root = .stopNotLastResumed
    if state.place == .leaving { now.root = .stopNotLastResumed }
    return true
  }
}
