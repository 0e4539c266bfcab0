import TraceEvents

/// The way into the mode and out of it.
extension StopProtocol {
  // MARK: First in

  mutating func claim(_ vcpu: Int, activity: Activity, host: inout some HypervisorHost) {
    number += 1
    acks = []
    lastExit = 0
    unmapping = 0
    members[vcpu].place = .claiming
    members[vcpu].interrupted = Interrupted(activity: activity, registers: host.registers(of: vcpu))
    phase = .stopping(owner: vcpu)
    recordClaim(vcpu, host: &host)
  }

  func recordClaim(_ vcpu: Int, host: inout some HypervisorHost) {
    _ = host.record(Event(.rendezvousClaim, vcpu: UInt16(vcpu), cause: members[vcpu].latched ?? 0, b: number))
  }

  mutating func advanceFirstIn(_ vcpu: Int, host: inout some HypervisorHost) -> Progress {
    if phase == .mapped(owner: vcpu) {
      if faults.contains(.mapEarly), isAwaitingAcks() { return .wait }
      enter(vcpu, by: .first, host: &host)
      return .moved
    }
    if faults.contains(.enterBeforeAcks) || faults.contains(.mapEarly) { return hurry(vcpu, host: &host) }
    if sendStop(from: vcpu, host: &host) { return .moved }
    if isAwaitingAcks(), !isContentWithOneAck() { return .wait }
    if faults.contains(.mapLate) { enter(vcpu, by: .first, host: &host) }
    map(vcpu, host: &host)
    if faults.contains(.mapLate) { phase = .open }
    return .moved
  }

  /// Faults: stops and map in one transition, so that no ack comes in between; the acks are not waited for.
  private mutating func hurry(_ vcpu: Int, host: inout some HypervisorHost) -> Progress {
    if members.contains(where: { $0.resume != nil }) { return .wait }
    while sendStop(from: vcpu, host: &host) {}
    map(vcpu, host: &host)
    if faults.contains(.enterBeforeAcks) { enter(vcpu, by: .first, host: &host) }
    return .moved
  }

  /// Sends one stop, to a vCPU that runs and has none; false where there is none left.
  private mutating func sendStop(from owner: Int, host: inout some HypervisorHost) -> Bool {
    if faults.contains(.skipStops) { return false }
    guard let target = members.firstIndex(where: { $0.place == .outside && $0.stop == nil }) else { return false }
    if faults.contains(.skipPeer), target == members.indices.last(where: { $0 != owner && members[$0].place != .absent }) { return false }
    for _ in 0..<(faults.contains(.doubleStop) ? 2 : 1) {
      members[target].stop = host.record(Event(.stopSend, vcpu: UInt16(owner), a: UInt64(target), b: number))
    }
    poke(target)
    return true
  }

  /// Whether somebody has yet to acknowledge a stop, or to take a previous resume and be stopped after that.
  private func isAwaitingAcks() -> Bool { members.contains { $0.stop != nil || $0.resume != nil } }

  /// Fault: one ack stands for all. Resumes that were not taken are waited for all the same.
  private func isContentWithOneAck() -> Bool {
    faults.contains(.countOneAck) && !acks.isEmpty && !members.contains { $0.resume != nil }
  }

  private mutating func map(_ vcpu: Int, host: inout some HypervisorHost) {
    if faults.contains(.countOneAck) { acks = Array(acks.prefix(1)) }
    host.setRegionMapped(true)
    let data = acks.flatMap { seq in (0..<8).map { UInt8(truncatingIfNeeded: seq >> ($0 * 8)) } }
    _ = host.record(Event(.regionMap, vcpu: UInt16(vcpu), gpa: region.start, a: region.length, b: number, data: data))
    phase = .mapped(owner: vcpu)
  }

  // MARK: In

  mutating func enter(_ vcpu: Int, by path: EntryPath, host: inout some HypervisorHost) {
    guard let was = members[vcpu].interrupted else { return }
    _ = host.record(
      Event(
        .modeEnter, vcpu: UInt16(vcpu), rip: was.registers.rip, cause: members[vcpu].latched ?? 0, a: path.rawValue, b: number,
        c: was.registers.digest, d: was.activity.rawValue))
    host.enterHandler(vcpu)
    members[vcpu].place = .inside
    members[vcpu].latched = nil
    members[vcpu].hasBeenInside = faults.contains(.uninvited) || faults.contains(.runStopped)
    queue.removeAll { $0 == vcpu }
    phase = .open
    for other in members.indices where members[other].place == .stopped {
      if members[other].latched != nil || faults.contains(.uninvited) { poke(other) }
    }
  }

  // MARK: Out

  /// The vCPU leaves the mode: to the stop state while others are in, on to last-out otherwise.
  mutating func exit(_ vcpu: Int, host: inout some HypervisorHost) {
    host.restoreInterrupted(vcpu)
    let isLast = !members.indices.contains { $0 != vcpu && members[$0].place == .inside }
    if isLast, faults.contains(.earlyUnmap) { unmap(vcpu, host: &host) }
    if isLast, faults.contains(.resumeEarly) { while sendResume(from: vcpu, host: &host) {} }
    let path = isLast ? ExitPath.last : .notLast
    let seq = host.record(Event(.modeExit, vcpu: UInt16(vcpu), a: path.rawValue, b: number))
    if isLast {
      lastExit = seq
      members[vcpu].place = .leaving
      phase = faults.contains(.earlyUnmap) || faults.contains(.lateUnmap) ? .resuming(owner: vcpu) : .closing(owner: vcpu)
    } else if faults.contains(.resumeNotLast), let was = members[vcpu].interrupted {
      goBack(vcpu, activity: was.activity, host: &host)
    } else {
      members[vcpu].place = .stopped
      members[vcpu].rendezvous = number
    }
  }

  mutating func advanceLastOut(_ vcpu: Int, activity: Activity, host: inout some HypervisorHost) -> Progress {
    if phase == .closing(owner: vcpu) {
      unmap(vcpu, host: &host)
      phase = .resuming(owner: vcpu)
      return .moved
    }
    if sendResume(from: vcpu, host: &host), resumesOwed() > 0 { return .moved }
    // A stop that nobody waited for is still to be acknowledged, and its vCPU to be resumed. It takes a fault to get here.
    if members.contains(where: { $0.stop != nil }) { return .wait }
    if faults.contains(.lateUnmap) { unmap(vcpu, host: &host) }
    phase = .free
    _ = host.record(Event(.rendezvousEnd, vcpu: UInt16(vcpu), b: number))
    goBack(vcpu, activity: activity, host: &host)
    if let next = queue.first { poke(next) }
    return .moved
  }

  private mutating func unmap(_ vcpu: Int, host: inout some HypervisorHost) {
    host.setRegionMapped(false)
    unmapping = host.record(
      Event(.regionUnmap, vcpu: UInt16(vcpu), gpa: region.start, cause: lastExit, a: region.length, b: number))
  }

  /// How many in the stop state have not been sent their resume, and are to be.
  private func resumesOwed() -> Int {
    let count = members.count { $0.place == .stopped && $0.resume == nil }
    return faults.contains(.forgetResume) ? max(count - 1, 0) : count
  }

  /// Sends one resume, to a vCPU in the stop state that has none; false where there was none.
  private mutating func sendResume(from owner: Int, host: inout some HypervisorHost) -> Bool {
    guard resumesOwed() > 0 else { return false }
    let isOwed: (Member) -> Bool = { $0.place == .stopped && $0.resume == nil }
    // The one left behind is not the one born stopped, which is another matter.
    let found = faults.contains(.forgetResume) ? members.lastIndex(where: isOwed) : members.firstIndex(where: isOwed)
    guard let target = found else { return false }
    let number = faults.contains(.wrongNumber) ? number - 1 : number
    for _ in 0..<(faults.contains(.doubleResume) ? 2 : 1) {
      members[target].resume = host.record(
        Event(.resumeSend, vcpu: UInt16(owner), cause: unmapping, a: UInt64(target), b: number))
    }
    poke(target)
    return true
  }

  /// Back to what was interrupted, without a resume.
  private mutating func goBack(_ vcpu: Int, activity: Activity, host: inout some HypervisorHost) {
    let registers = host.registers(of: vcpu)
    _ = host.record(
      Event(.modeReturn, vcpu: UInt16(vcpu), rip: registers.rip, a: activity.rawValue, b: number, c: registers.digest))
    members[vcpu].place = .outside
    members[vcpu].interrupted = nil
    members[vcpu].rendezvous = 0
    members[vcpu].hasBeenInside = false
  }
}
