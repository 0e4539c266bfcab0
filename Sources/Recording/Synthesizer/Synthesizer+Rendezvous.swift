internal import TraceEvents

extension Synthesizer {
  /// Some vCPUs enter the privileged mode together: first in, next in, not last out, last out.
  mutating func rendezvousRound() throws {
    rendezvous += 1
    let first = random.below(vcpus.count)
    let entrants = [first] + vcpus.indices.filter { $0 != first && random.below(4) == 0 }
    var raises: [Int: UInt64] = [:]
    for target in entrants {
      raises[target] = try emit(Event(.privilegedRaise, vcpu: Event.host, a: UInt64(target)))
    }
    try exit(first, .kick)
    try emit(Event(.rendezvousClaim, vcpu: UInt16(first), cause: raises[first] ?? 0, b: rendezvous))
    let peers = vcpus.indices.filter { $0 != first }
    var stops: [UInt64] = []
    for peer in peers {
      stops.append(try emit(Event(.stopSend, vcpu: UInt16(first), a: UInt64(peer), b: rendezvous)))
    }
    var acks: [UInt64] = []
    for (peer, stop) in zip(peers, stops) {
      try exit(peer, .kick)
      acks.append(try emit(place(.stopAck, peer, cause: stop, a: Activity.running.rawValue)))
    }
    let waited = acks.flatMap { seq in (0..<8).map { UInt8(truncatingIfNeeded: seq >> UInt64($0 * 8)) } }
    try emit(
      Event(.regionMap, vcpu: UInt16(first), gpa: Self.region.start, a: Self.region.length, b: rendezvous, data: waited))
    for (index, vcpu) in entrants.enumerated() {
      try enterMode(vcpu, index == 0 ? .first : .next, raises[vcpu] ?? 0)
    }
    try leaveMode(entrants, peers)
  }

  private mutating func enterMode(_ vcpu: Int, _ path: EntryPath, _ raise: UInt64) throws {
    try emit(place(.modeEnter, vcpu, cause: raise, a: path.rawValue))
    try emit(Event(.guestEnter, vcpu: UInt16(vcpu), rip: Self.region.start))
    // A page of its own: nothing orders what vCPUs write that are in the mode together.
    let page = Self.region.start + UInt64(1 + vcpu) * guestPageSize
    try emit(Event(.pageWrite, vcpu: UInt16(vcpu), gpa: page, a: 1, data: [0, 0, 0, 0, UInt8(truncatingIfNeeded: rendezvous)]))
    try emit(Event(.guestExit, vcpu: UInt16(vcpu), rip: Self.region.start + 0x40, a: GuestExitReason.hypercall.rawValue))
    try emit(Event(.hypercall, vcpu: UInt16(vcpu), rip: Self.region.start + 0x40, a: 10))
  }

  private mutating func leaveMode(_ entrants: [Int], _ peers: [Int]) throws {
    let last = entrants[entrants.count - 1]
    for vcpu in entrants.dropLast() {
      try emit(Event(.modeExit, vcpu: UInt16(vcpu), a: ExitPath.notLast.rawValue, b: rendezvous))
    }
    let lastExit = try emit(Event(.modeExit, vcpu: UInt16(last), a: ExitPath.last.rawValue, b: rendezvous))
    let unmap = try emit(
      Event(.regionUnmap, vcpu: UInt16(last), gpa: Self.region.start, cause: lastExit, a: Self.region.length, b: rendezvous))
    let stopped = vcpus.indices.filter { $0 != last }
    var resumes: [UInt64] = []
    for vcpu in stopped {
      resumes.append(try emit(Event(.resumeSend, vcpu: UInt16(last), cause: unmap, a: UInt64(vcpu), b: rendezvous)))
    }
    try emit(Event(.rendezvousEnd, vcpu: UInt16(last), b: rendezvous))
    try emit(place(.modeReturn, last, cause: 0, a: Activity.running.rawValue))
    try enter(last)
    for (vcpu, resume) in zip(stopped, resumes) {
      try emit(place(.resumeTake, vcpu, cause: resume, a: Activity.running.rawValue))
      try enter(vcpu)
    }
  }

  /// An event that says where the vCPU stands.
  private func place(_ kind: EventKind, _ vcpu: Int, cause: UInt64, a: UInt64) -> Event {
    Event(kind, vcpu: UInt16(vcpu), rip: vcpus[vcpu].rip, cause: cause, a: a, b: rendezvous, c: vcpus[vcpu].digest)
  }
}
