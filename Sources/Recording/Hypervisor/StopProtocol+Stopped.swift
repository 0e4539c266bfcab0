import TraceEvents

/// The stop state: ack, next-in, resume.
extension StopProtocol {
  mutating func advanceStopped(_ vcpu: Int, activity: Activity, host: inout some HypervisorHost) -> Progress {
    if members[vcpu].resume != nil {
      takeResume(vcpu, activity: activity, host: &host)
      return .moved
    }
    if phase == .open, members[vcpu].latched != nil || (faults.contains(.uninvited) && !members[vcpu].hasBeenInside) {
      if faults.contains(.doubleFirst) {
        recordClaim(vcpu, host: &host)
        enter(vcpu, by: .first, host: &host)
      } else {
        enter(vcpu, by: .next, host: &host)
      }
      return .moved
    }
    return faults.contains(.runStopped) && !members[vcpu].hasBeenInside ? .outside : .wait
  }

  mutating func acknowledge(_ vcpu: Int, activity: Activity, host: inout some HypervisorHost) {
    let registers = host.registers(of: vcpu)
    let seq = host.record(
      Event(
        .stopAck, vcpu: UInt16(vcpu), rip: registers.rip, cause: members[vcpu].stop ?? 0, a: activity.rawValue, b: number, c: registers.digest))
    members[vcpu].place = .stopped
    members[vcpu].stop = nil
    members[vcpu].interrupted = Interrupted(activity: activity, registers: registers)
    members[vcpu].rendezvous = number
    acks.append(seq)
    pokeOwner()
  }

  /// Leaves the stop state for the guest. Activity and registers are what they are now: the trace shows whether they are what they were.
  private mutating func takeResume(_ vcpu: Int, activity: Activity, host: inout some HypervisorHost) {
    guard let resume = members[vcpu].resume else { return }
    let registers = host.registers(of: vcpu)
    // A new rendezvous may have been claimed since; the resume belongs to the one that stopped this vCPU.
    _ = host.record(
      Event(
        .resumeTake, vcpu: UInt16(vcpu), rip: registers.rip, cause: resume, a: activity.rawValue, b: members[vcpu].rendezvous,
        c: registers.digest))
    members[vcpu].place = .outside
    members[vcpu].resume = nil
    members[vcpu].interrupted = nil
    members[vcpu].rendezvous = 0
    members[vcpu].hasBeenInside = false
    pokeOwner()
  }
}
