internal import TraceEvents

/// Judges the rules of the group `stop/` (US20180307829A1): a state machine of the stop protocol, driven by the events alone.
///
/// It follows each vCPU's place (outside, stopped, in the mode, …), the signals on their way, and the view of the region. A break that is
/// told moves on to the state that the event claims; what it makes break later is listed under it, not told again. Nothing is concluded from
/// a `pageWrite` but that its vCPU wrote the page some time after its last `guestEnter`.
struct StopJudge: ~Copyable {
  var vcpus: VCPUTable<VCPU>
  var now = Rendezvous()
  var view = View.unmapped
  let region: GuestRange
  /// Whether something moved since this was last taken, and the event that shows it: whoever feeds the judge knows its time.
  var hasMoved = false
  var lastMove: UInt64 = 0
  /// How the recording ended, and how long nothing had moved then, in nanoseconds.
  var end: (seq: UInt64, reason: UInt64)?
  var silence: UInt64 = 0

  init(_ subject: Analyzer.Subject) {
    vcpus = VCPUTable(repeating: VCPU(), count: subject.vcpuCount)
    region = subject.region
  }

  init(copying other: borrowing StopJudge) {
    vcpus = VCPUTable(copying: other.vcpus)
    now = other.now
    view = other.view
    region = other.region
    hasMoved = other.hasMoved
    lastMove = other.lastMove
    silence = other.silence
    end = other.end
  }

  /// Looks at the next event.
  mutating func judge(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    switch event.kind {
    case .pageWrite:
      if region.contains(event.gpa), index < vcpus.count { judgeRegionWrite(event, &findings) }
    case .guestEnter:
      guard index < vcpus.count else { return }
      if needsLook(index, event.rip), !takesUpExecution(index, event.rip) { judgeGuestEnter(event, &findings) }
      noteEnter(index, at: event.seq)
    case .guestExit:
      guard index < vcpus.count else { return }
      if region.contains(event.rip), vcpus[index].enteredFrom != .inMode { judgeRegionExecution(event, &findings) }
      noteExit(index, at: event.seq)
    case .writeTrap, .writeResult, .guestWrite:
      let isInRegion = region.contains(event.gpa)
      guard index < vcpus.count, vcpus[index].isHeld || isInRegion else { return }
      judgeTrappedWrite(event, &findings)
    default: judgeRare(event, &findings)
    }
  }

  /// Whether the vCPU may have written a page of the region: it last entered the guest in the mode, or nobody knows where.
  @inline(__always)
  func mayWriteRegion(_ index: Int) -> Bool {
    guard index < vcpus.count, vcpus[index].lastEnter != 0 else { return true }
    return vcpus[index].enteredFrom == .inMode || vcpus[index].enteredFrom == .unknown
  }

  /// Whether an entry into the guest is more than ordinary execution outside any rendezvous.
  @inline(__always)
  func needsLook(_ index: Int, _ rip: UInt64) -> Bool {
    switch vcpus[index].place {
    case .inMode: false
    case .outside: now.inMode > 0 || vcpus[index].hasJustReturned || vcpus[index].owesReturn || region.contains(rip)
    default: true
    }
  }

  /// Whether an entry into the guest is the first one after a stop or the mode, and nothing else; there is nothing to judge then.
  @inline(__always)
  mutating func takesUpExecution(_ index: Int, _ rip: UInt64) -> Bool {
    guard vcpus[index].place == .outside, vcpus[index].hasJustReturned, now.inMode == 0, view == .unmapped else { return false }
    guard !vcpus[index].owesReturn, !vcpus[index].isHalted, vcpus[index].hypercall == 0, !region.contains(rip) else { return false }
    vcpus[index].hasJustReturned = false
    return true
  }

  @inline(__always)
  mutating func noteEnter(_ index: Int, at seq: UInt64) {
    vcpus[index].isInGuest = true
    vcpus[index].lastEnter = seq
    vcpus[index].enteredFrom = vcpus[index].place
  }

  @inline(__always)
  mutating func noteExit(_ index: Int, at seq: UInt64) {
    vcpus[index].isInGuest = false
    vcpus[index].lastExit = seq
    noteMove(at: seq)
  }

  @inline(__always)
  mutating func noteMove(at seq: UInt64) {
    hasMoved = true
    lastMove = seq
  }

  @inline(never)
  private mutating func judgeRare(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    switch event.kind {
    case .sessionEnd:
      end = (event.seq, event.a)
      return
    case .vcpuStart:
      if event.a < UInt64(vcpus.count), vcpus[Int(event.a)].place == .offline { vcpus[Int(event.a)].started = event.seq }
    case .privilegedRaise: judgeRaise(event, &findings)
    case .stopSend: judgeStopSend(event, &findings)
    case .resumeSend: judgeResumeSend(event, &findings)
    default:
      if Int(event.vcpu) < vcpus.count { judgeOwn(event, &findings) }
    }
    noteMove(at: event.seq)
  }

  /// Events that a vCPU has of its own.
  private mutating func judgeOwn(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let index = Int(event.vcpu)
    switch event.kind {
    case .vcpuOnline: judgeOnline(event, &findings)
    case .vcpuOffline: judgeOffline(event, &findings)
    case .vcpuHalt:
      vcpus[index].isHalted = true
      vcpus[index].haltedSince = event.seq
    case .vcpuUnhalt: judgeUnhalt(event, &findings)
    case .interruptDeliver: judgeDelivery(event, &findings)
    case .hypercall:
      if vcpus[index].place != .inMode { vcpus[index].hypercall = event.seq }
    case .hypercallResult: judgeHypercallResult(event, &findings)
    case .integrityEnter: vcpus[index].inIntegrityMode = true
    case .integrityLeave: vcpus[index].inIntegrityMode = false
    case .regionAccess: judgeRegionAccess(event, &findings)
    case .rendezvousClaim: judgeClaim(event, &findings)
    case .stopAck: judgeAck(event, &findings)
    case .regionMap: judgeMap(event, &findings)
    case .modeEnter: judgeModeEnter(event, &findings)
    case .modeExit: judgeModeExit(event, &findings)
    case .regionUnmap: judgeUnmap(event, &findings)
    case .resumeTake: judgeResumeTake(event, &findings)
    case .modeReturn: judgeModeReturn(event, &findings)
    case .rendezvousEnd: judgeEnd(event, &findings)
    default: break
    }
  }

  /// A hole in the trace before the next event: what was pending is neither kept nor broken, and nothing may be reported that rests on it.
  mutating func forget() {
    for index in vcpus.indices {
      vcpus[index] = VCPU(place: .unknown, knowsSignals: false, knowsLatch: false, knowsActivity: false)
    }
    now = Rendezvous(phase: .unknown)
    view = .unknown
  }

  // MARK: Moving on

  /// Puts a vCPU in a place, and counts who is in the mode.
  mutating func move(_ index: Int, to place: Place, at seq: UInt64) {
    if vcpus[index].place == .inMode { now.inMode -= 1 }
    if place == .inMode { now.inMode += 1 }
    vcpus[index].place = place
    vcpus[index].since = seq
    vcpus[index].toldRan = false
    if place != .stopped { vcpus[index].wasBornStopped = false }
    if place == .outside { vcpus[index].owesReturn = false }
  }

  /// The rendezvous is over, or a new one begins: what was told is told.
  mutating func startAfresh() {
    for index in vcpus.indices {
      vcpus[index].toldExposed = false
      vcpus[index].toldUnstopped = false
      if vcpus[index].place == .outside || vcpus[index].place == .offline { vcpus[index].root = nil }
    }
    now = Rendezvous(inMode: now.inMode)
  }

  /// A break that an earlier one explains is listed under that one; true where it was.
  func explains(_ root: Rule?, _ rule: Rule, _ findings: inout FindingCollector) -> Bool {
    guard let root = now.root ?? root else { return false }
    findings.follow(rule, from: root)
    return true
  }
}
