internal import TraceEvents

/// Claims, entries into the mode, exits, and the way back.
extension StopJudge {
  mutating func judgeClaim(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    if now.phase != .free, now.phase != .unknown {
      reportSecondClaim(event, &findings)
      now.root = .stopDoubleFirst
    } else {
      if state.place == .stopped { judgeClaimOutOfStop(event, state, &findings) }
      startAfresh()
      now.phase = .claimed
      now.number = event.b
      now.claimant = index
      now.claim = event.seq
      // The mode was free: whatever a hole hid, nobody is in it.
      if view == .unknown { view = .unmapped }
    }
    // Where it was when it was stopped is where it returns to.
    let owed = state.owesReturn || state.place == .stopped
    move(index, to: .claiming, at: event.seq)
    vcpus[index].owesReturn = owed
  }

  private func reportSecondClaim(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    if explains(nil, .stopDoubleFirst, &findings) { return }
    let (seq, vcpu, claimant, number) = (event.seq, event.vcpu, now.claimant, now.number)
    findings.report(
      .stopDoubleFirst, at: event, expected: "One vCPU takes the first-in path; the mode is free again only when the last one let everybody go.",
      observed: "vCPU \(vcpu) claimed first-in at \(seq), though rendezvous \(number), claimed by vCPU \(claimant), was not over.",
      because: chain(claimReason, entryReason, exitReason))
  }

  private mutating func judgeClaimOutOfStop(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) {
    if explains(state.root, .stopWrongWake, &findings) { return }
    let (seq, vcpu) = (event.seq, event.vcpu)
    findings.report(
      .stopWrongWake, at: event, expected: "A stopped vCPU takes its resume before it does anything else.",
      observed: "vCPU \(vcpu) claimed first-in at \(seq) out of the stop state.",
      because: chain(
        Finding.Reason(seq: state.since, what: "vCPU \(vcpu) went into the stop state"),
        Finding.Reason(seq: state.resume, what: "a resume was sent to it, which it has not taken")))
  }

  // MARK: Entry

  mutating func judgeModeEnter(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    judgeInvitation(event, state, &findings)
    judgePath(event, state, &findings)
    if view == .unmapped { reportEntryUnmapped(event, &findings) }
    judgePeers(event, &findings)
    if event.a == EntryPath.handedOver.rawValue, now.number != 0, event.b != now.number { renumber(event.b) }
    let account = Account(activity: event.d, digest: event.c, rip: event.rip)
    if state.place != .stopped, !state.owesReturn || state.saved.seq == 0 { save(index, account, at: event.seq) }
    if state.place == .stopped, state.saved.seq == 0 || !state.saved.hasRegisters { save(index, account, at: event.seq) }
    vcpus[index].latched = 0
    vcpus[index].latchedLast = 0
    vcpus[index].knowsLatch = true
    vcpus[index].hypercall = 0
    vcpus[index].isHalted = false
    vcpus[index].leftNotLast = false
    move(index, to: .inMode, at: event.seq)
    if now.firstEntry == 0 { now.firstEntry = event.seq }
    if now.phase == .unknown || now.phase == .free { now.number = event.b }
    now.phase = .entered
    if view == .unknown { view = .mapped }
  }

  /// A hand-over may count as a rendezvous of its own: those that the old one stopped now wait for the new one.
  private mutating func renumber(_ number: UInt64) {
    for index in vcpus.indices where vcpus[index].place == .stopped && vcpus[index].stoppedBy == now.number {
      vcpus[index].stoppedBy = number
    }
    now.number = number
  }

  private mutating func judgeInvitation(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) {
    guard state.knowsLatch else { return }
    let (seq, vcpu, cause) = (event.seq, event.vcpu, event.cause)
    if state.latched != 0, cause >= state.latched, cause <= state.latchedLast { return }
    if explains(state.root, .stopUninvitedEntry, &findings) { return }
    let named = cause == 0 ? "names no interrupt" : "names \(cause)"
    let latched = state.latched == 0 ? "none was latched for it" : "the one latched for it was sent at \(state.latched)"
    findings.report(
      .stopUninvitedEntry, at: event, expected: "Every entry into the mode serves an interrupt that is latched for its vCPU.",
      observed: "The entry of vCPU \(vcpu) at \(seq) \(named), and \(latched).",
      because: chain(
        claimReason, entryReason,
        Finding.Reason(seq: state.latched, what: "an interrupt for the mode was sent to vCPU \(vcpu)"),
        Finding.Reason(seq: cause, what: "what the entry names as its interrupt")))
  }

  /// First-in is for the one that claimed; next-in is for those that find somebody in.
  private mutating func judgePath(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) {
    let (seq, vcpu) = (event.seq, event.vcpu)
    if event.a == EntryPath.first.rawValue {
      guard now.phase != .unknown, now.inMode > 0 || (now.phase == .claimed && now.claimant != Int(vcpu)) else { return }
      if explains(state.root, .stopDoubleFirst, &findings) { return }
      let claimant = now.claimant
      let others = insiders(besides: Int(vcpu))
      findings.report(
        .stopDoubleFirst, at: event, expected: "One vCPU of a rendezvous enters as the first, here vCPU \(claimant).",
        observed: "vCPU \(vcpu) entered as the first at \(seq) too.", because: chain(claimReason, entryReason) + others)
      now.root = .stopDoubleFirst
    } else if event.a == EntryPath.next.rawValue {
      guard now.phase == .claimed, now.inMode == 0, now.claimant != Int(vcpu), now.claimant >= 0 else { return }
      if explains(state.root, .stopDoubleFirst, &findings) { return }
      let claimant = now.claimant
      findings.report(
        .stopDoubleFirst, at: event, expected: "Nobody enters as the next one before the first, vCPU \(claimant), has entered.",
        observed: "vCPU \(vcpu) entered at \(seq) with nobody in the mode.", because: chain(claimReason, mapReason))
      now.root = .stopDoubleFirst
    }
  }

  // MARK: Exit

  mutating func judgeModeExit(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let isLast = event.a == ExitPath.last.rawValue
    if isLast, now.phase == .leaving, now.inMode <= 1, now.lastExit != 0 { reportSecondLast(event, &findings) }
    move(index, to: isLast ? .leaving : .stopped, at: event.seq)
    vcpus[index].leftNotLast = !isLast
    vcpus[index].stoppedBy = event.b
    vcpus[index].isHalted = false
    vcpus[index].hypercall = 0
    if isLast || now.inMode == 0 { now.lastExit = event.seq }
    if isLast {
      now.phase = .leaving
    } else if now.inMode == 0, now.phase != .unknown {
      now.phase = .handedOver
    }
  }

  private mutating func reportSecondLast(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    if explains(nil, .stopDoubleFirst, &findings) { return }
    let (seq, vcpu) = (event.seq, event.vcpu)
    findings.report(
      .stopDoubleFirst, at: event, expected: "One vCPU of a rendezvous leaves last and lets the others go.",
      observed: "vCPU \(vcpu) left as the last at \(seq), though another had left as the last at \(now.lastExit).",
      because: chain(entryReason, exitReason))
    now.root = .stopDoubleFirst
  }

  mutating func judgeModeReturn(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    var isWrong = false
    if state.place == .stopped || state.place == .leaving {
      isWrong = judgeNotLast(event, state, &findings)
      if !isWrong, state.place == .stopped { isWrong = judgeReturnOutOfStop(event, state, &findings) }
    }
    if !isWrong, state.place == .leaving || state.owesReturn { judgeReturn(event, state, &findings) }
    goBack(index, activity: event.a, at: event.seq)
    judgeFreed(event, &findings)
  }

  private mutating func judgeReturnOutOfStop(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) -> Bool {
    // A new stop caught it on its way back: where it was stopped is where it was.
    let (seq, vcpu) = (event.seq, event.vcpu)
    if !explains(state.root, .stopWrongWake, &findings) {
      findings.report(
        .stopWrongWake, at: event, expected: "vCPU \(vcpu) leaves the stop state by a resume, or into the mode.",
        observed: "It went back to the guest at \(seq) by itself.",
        because: chain(Finding.Reason(seq: state.since, what: "vCPU \(vcpu) went into the stop state"), exitReason))
    }
    vcpus[Int(vcpu)].root = .stopWrongWake
    return true
  }

  /// The vCPU is outside again, doing what it did.
  mutating func goBack(_ index: Int, activity: UInt64, at seq: UInt64) {
    let saved = vcpus[index].saved
    let own = Activity(rawValue: saved.knowsOwn ? saved.ownActivity : activity)
    vcpus[index].isHalted = own.inIntegrityMode(false) == .halted
    vcpus[index].inIntegrityMode = own.inIntegrityMode
    // The number of the call that is still owed was forgotten in the mode; what stopped it stands for it.
    vcpus[index].hypercall = own.inIntegrityMode(false) == .inHypercall ? max(vcpus[index].hypercall, saved.seq, 1) : 0
    vcpus[index].knowsActivity = true
    vcpus[index].hasJustReturned = true
    vcpus[index].leftNotLast = false
    move(index, to: .outside, at: seq)
  }

  /// A vCPU that goes back to the guest must be where it was: by the recorder's account then, and by the events' own.
  func judgeReturn(_ event: borrowing EventView, _ state: VCPU, _ findings: inout FindingCollector) {
    let saved = state.saved
    if saved.agrees(with: event.account) { return }
    let (seq, vcpu) = (event.seq, event.vcpu)
    let returned = Activity(rawValue: event.a)
    var differences: [String] = []
    if event.a != saved.activity {
      differences.append("it was \(text(Activity(rawValue: saved.activity))) and is now \(text(returned))")
    } else if saved.knowsOwn, event.a != saved.ownActivity {
      differences.append("by its own events it was \(text(Activity(rawValue: saved.ownActivity))) and is now \(text(returned))")
    }
    if saved.hasRegisters, event.c != saved.digest { differences.append("its registers differ") }
    if saved.hasRegisters, event.rip != saved.rip { differences.append("its instruction pointer differs") }
    if differences.isEmpty || explains(state.root, .stopWrongReturn, &findings) { return }
    let joined = differences.joined(separator: ", ")
    findings.report(
      .stopWrongReturn, at: event, expected: "A vCPU returns to exactly where it was, as taken down at \(saved.seq).",
      observed: "vCPU \(vcpu) went back at \(seq): \(joined).",
      because: chain(
        Finding.Reason(seq: saved.activity & 1 != 0 || saved.ownActivity & 1 != 0 ? state.haltedSince : 0, what: "vCPU \(vcpu) had halted"),
        Finding.Reason(seq: saved.seq, what: "where vCPU \(vcpu) was, was taken down")))
  }

  mutating func judgeEnd(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    for index in vcpus.indices { judgeLeftBehind(index, event, &findings) }
    for index in vcpus.indices where vcpus[index].place == .leaving {
      // From here on it may be sent new stops; it still owes its return before it executes.
      vcpus[index].place = .outside
      vcpus[index].owesReturn = true
    }
    now.phase = .free
    now.number = event.b
    now.claimant = -1
  }

  /// "Everybody is resumed" and "the mode is free" are one step.
  private mutating func judgeLeftBehind(_ index: Int, _ event: borrowing EventView, _ findings: inout FindingCollector) {
    let state = vcpus[index]
    guard state.place == .stopped, state.knowsSignals, state.resume == 0 else { return }
    let rule = state.wasBornStopped ? Rule.stopCPUSetChanged : .stopLostSignal
    if !explains(state.root, rule, &findings) {
      let number = event.b
      findings.report(
        rule, seq: event.seq, vcpu: UInt16(index), expected: "When rendezvous \(number) ends, every stopped vCPU has been sent a resume.",
        observed: "vCPU \(index) was not: it stays in the stop state.",
        because: chain(
          Finding.Reason(seq: state.since, what: "vCPU \(index) " + (state.wasBornStopped ? "came online stopped" : "went into the stop state")),
          exitReason, unmapReason))
    }
    vcpus[index].root = rule
  }
}
