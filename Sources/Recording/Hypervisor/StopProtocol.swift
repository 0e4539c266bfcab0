import TraceEvents

/// The stop protocol (US20180307829A1): who is in the privileged mode, who is stopped, and whose turn it is.
///
/// Every method is one transition, made under the lock that serialises the core. What the seed leaves open is decided so:
///
/// - "Nobody is in", the claim of first-in and the change of phase are one transition (`claim`).
/// - Next-in tests and enters in one transition, and only once the first has *entered* (`Phase.open`), not once the region is mapped.
/// - An interrupt for the mode is latched until its vCPU enters; further ones coalesce. One that arrives while its vCPU is being stopped
///   waits: ack first, then next-in. So does the loser of a race to be first. One that arrives in the mode asks for a new entry.
/// - One that arrives during last-out stays latched. Its vCPU is resumed and claims first-in afterwards: nothing is handed over with the
///   region mapped. So a rendezvous ends once the code in the mode stops asking for more (nobody else runs), and a vCPU that nobody interrupts
///   is resumed between any two of them; with a hand-over it could stay stopped for ever. The price is that an interrupt may have to wait for
///   later rendezvous. The wait is bounded: the mode is claimed in the order of latching (`queue`), so that an interrupt is served at the
///   latest in the rendezvous that its own vCPU claims, after those of the vCPUs ahead of it, of which there are fewer than vCPUs.
/// - The last resume and "the mode is free" are one transition (`sendResume`).
/// - A stop goes to a vCPU only after it took its previous resume (`sendStop` waits for it).
/// - From its claim to its entry, and from its exit to the end of last-out, the vCPU that does the work executes no guest code.
/// - Activity and registers are taken at the ack, at the claim for first-in.
/// - A vCPU that comes online during a rendezvous is born stopped, gets no stop signal, and is found by the resumes, which look again
///   before the end. Going offline with a stop pending counts as the ack; with an interrupt latched it is refused.
struct StopProtocol: Hashable, Sendable {
  enum Phase: Hashable, Sendable {
    /// Nobody is in, nobody is stopped or every stopped one has been sent its resume.
    case free
    /// The owner sends stops and waits for the acks.
    case stopping(owner: Int)
    /// The region is in the view; nobody has entered.
    case mapped(owner: Int)
    /// Somebody is in the mode.
    case open
    /// The last one has left the mode; the region is still in the view.
    case closing(owner: Int)
    /// The region is out of the view; the owner sends the resumes.
    case resuming(owner: Int)
  }

  enum Place: UInt8, Hashable, Sendable {
    /// Offline.
    case absent
    /// In the guest, or in the host on its behalf.
    case outside
    /// First-in, from its claim to its entry.
    case claiming
    case stopped
    case inside
    /// Last-out, from its exit to the end of the rendezvous.
    case leaving
  }

  /// Where a vCPU was when it was stopped or interrupted.
  struct Interrupted: Hashable, Sendable {
    var activity: Activity
    var registers: RegisterSnapshot
  }

  struct Member: Hashable, Sendable {
    var place = Place.absent
    /// The `stopSend` that it has not acknowledged.
    var stop: UInt64?
    /// The `resumeSend` that it has not taken.
    var resume: UInt64?
    /// The `privilegedRaise` that is latched for it.
    var latched: UInt64?
    var interrupted: Interrupted?
    /// The rendezvous that stopped it, 0 for none.
    var rendezvous: UInt64 = 0
    /// Faults only: it has been in the mode since it was stopped or interrupted.
    var hasBeenInside = false
  }

  /// What became of a vCPU's `advance`.
  enum Progress: Hashable, Sendable {
    /// One transition; ask again.
    case moved
    /// Nothing to do until it is poked.
    case wait
    /// It executes the handler.
    case inside
    /// The protocol has nothing to say: the guest's code goes on.
    case outside
  }

  let region: GuestRange
  let faults: FaultSet
  var phase = Phase.free
  /// The number of the latest rendezvous, from 1.
  var number: UInt64 = 0
  var members: [Member]
  /// The vCPUs with a latched interrupt, oldest first.
  var queue: [Int] = []
  /// The acks, and the offlines that stand for one, of this rendezvous.
  var acks: [UInt64] = []
  /// The `modeExit` of the last one out, and the `regionUnmap`; 0 before.
  var lastExit: UInt64 = 0
  var unmapping: UInt64 = 0
  /// Bit per vCPU whose thread must look again.
  var pokes: UInt64 = 0

  init(vcpuCount: Int, region: GuestRange, faults: FaultSet) {
    self.region = region
    self.faults = faults
    members = Array(repeating: Member(), count: vcpuCount)
  }

  var isRegionMapped: Bool {
    switch phase {
    case .mapped, .open, .closing: true
    case .free, .stopping, .resuming: false
    }
  }

  func isInside(_ vcpu: Int) -> Bool { members[vcpu].place == .inside }

  /// The next transition of this vCPU. `activity` is what it is doing outside the mode.
  mutating func advance(_ vcpu: Int, activity: Activity, host: inout some HypervisorHost) -> Progress {
    switch members[vcpu].place {
    case .absent: return .wait
    case .inside: return .inside
    case .claiming: return advanceFirstIn(vcpu, host: &host)
    case .leaving: return advanceLastOut(vcpu, activity: activity, host: &host)
    case .stopped: return advanceStopped(vcpu, activity: activity, host: &host)
    case .outside: return advanceOutside(vcpu, activity: activity, host: &host)
    }
  }

  private mutating func advanceOutside(_ vcpu: Int, activity: Activity, host: inout some HypervisorHost) -> Progress {
    if members[vcpu].stop != nil {
      acknowledge(vcpu, activity: activity, host: &host)
      return .moved
    }
    guard members[vcpu].latched != nil else { return .outside }
    if faults.contains(.unaskedAck), case .stopping = phase {
      acknowledge(vcpu, activity: activity, host: &host)
      return .moved
    }
    // Whoever is not first waits here for the stop signal, or for the mode to be free.
    guard phase == .free, queue.first == vcpu else { return .wait }
    claim(vcpu, activity: activity, host: &host)
    return .moved
  }

  // MARK: Interrupts for the mode

  /// Latches an interrupt for the mode. The target must be online.
  mutating func raise(_ target: Int, sender: UInt16, cause: UInt64, host: inout some HypervisorHost) {
    let coalesces = members[target].latched != nil
    let seq = host.record(Event(.privilegedRaise, vcpu: sender, cause: cause, a: UInt64(target), b: coalesces ? 1 : 0))
    let place = members[target].place
    if faults.contains(.loseInterrupt), place == .stopped || place == .inside { return }
    guard !coalesces else { return }
    members[target].latched = seq
    queue.append(target)
    if place == .outside || place == .stopped { poke(target) }
  }

  // MARK: Coming and going

  /// The vCPU is online. Returns the rendezvous that it is born into, nil for none: then it runs.
  mutating func comeOnline(_ vcpu: Int, registers: RegisterSnapshot) -> UInt64? {
    guard phase != .free, !faults.contains(.bornRunning) else {
      members[vcpu] = Member(place: .outside)
      return nil
    }
    members[vcpu] = Member(place: .stopped, interrupted: Interrupted(activity: .running, registers: registers), rendezvous: number)
    return number
  }

  /// Whether the vCPU may go offline: it is outside, and no interrupt for the mode is latched for it.
  func mayGoOffline(_ vcpu: Int) -> Bool { members[vcpu].place == .outside && members[vcpu].latched == nil }

  mutating func goOffline(_ vcpu: Int, host: inout some HypervisorHost) {
    let stop = members[vcpu].stop
    let seq = host.record(Event(.vcpuOffline, vcpu: UInt16(vcpu), cause: stop ?? 0, b: stop == nil ? 0 : number))
    if stop != nil { acks.append(seq) }
    members[vcpu] = Member()
    pokeOwner()
  }

  // MARK: Pokes

  mutating func poke(_ vcpu: Int) { pokes |= 1 << UInt64(vcpu) }

  /// Whoever waits for the others may go on.
  mutating func pokeOwner() {
    switch phase {
    case .stopping(let owner), .mapped(let owner), .resuming(let owner): poke(owner)
    default: break
    }
  }

  mutating func takePokes() -> UInt64 {
    defer { pokes = 0 }
    return pokes
  }
}
