public import TraceEvents

/// The hypervisor's decisions, with no KVM and no threads in them.
///
/// A value: it is driven by what happens on vCPUs (`handle`) and by their asking what to do next (`step`), and answers with calls of
/// `HypervisorHost` and directives. Whoever drives it serialises all calls with one lock. Each vCPU's thread does
///
///     loop {
///       lock; directive = core.step(vcpu, ...); unlock        // .run: into the guest; .again: once more; .wait: until woken; .finish: out
///       run the guest until its next exit
///       lock; core.handle(exit, on: vcpu, ...); unlock
///     }
///
/// Equal states behave equally, so that tests can explore every interleaving and recognise the states they have seen.
///
/// The core records every decision and transition, in the order made; the host records what it sees of guest code (`HypervisorHost`). The
/// session's end is decided here (`sessionEnd`) and recorded by the host, after the last vCPU is out.
public struct HypervisorCore: Sendable {
  public let configuration: HypervisorConfiguration
  /// Why the session is over, nil while it goes on. Every `step` answers `finish` from then on.
  public private(set) var sessionEnd: EndReason?
  /// More about it, for people; may be empty.
  public private(set) var sessionEndDetail: String = ""

  var vcpus: [VCPU]
  var stops: StopProtocol
  var interrupts: InterruptController
  var traces: TraceService
  var registration = Registration()

  var faults: FaultSet { configuration.faults }

  public init(configuration: HypervisorConfiguration) {
    self.configuration = configuration
    vcpus = Array(repeating: VCPU(), count: configuration.vcpuCount)
    stops = StopProtocol(vcpuCount: configuration.vcpuCount, region: configuration.region, faults: configuration.faults)
    interrupts = InterruptController(vcpuCount: configuration.vcpuCount)
    traces = TraceService(isActive: configuration.canTrace)
  }

  /// Starts a vCPU, on the host's behalf, at `rip` with `argument` (`HypervisorHost.prepareStart`). It comes online in its first `step`, as
  /// every other one does. Called once for vCPU 0, before any other method, and for others where the guest starts them in a way that the core has no part in.
  public mutating func start(_ vcpu: Int = 0, rip: UInt64, argument: UInt64, host: inout some HypervisorHost) {
    start(vcpu, rip: rip, argument: argument, sender: Event.host, cause: 0, host: &host)
  }

  // MARK: What happened

  /// Takes in what happened on a vCPU that was told to run.
  public mutating func handle(_ input: HypervisorInput, on vcpu: Int, host: inout some HypervisorHost) {
    vcpus[vcpu].isExecuting = false
    guard sessionEnd == nil else { return }
    let late = takeLate(vcpu, host: &host)
    switch input {
    case .hypercall(let number, let arguments, let rip, let interruptsEnabled):
      receive(number, arguments, rip: rip, interruptsEnabled: interruptsEnabled, from: vcpu, host: &host)
    case .trappedWrite(let gpa, let bytes, let rip, let flags):
      handleWrite(gpa: gpa, bytes: bytes, rip: rip, flags: flags, on: vcpu, host: &host)
    case .unmappedAccess(let gpa, let write, _, let rip):
      handleUnmappedAccess(gpa: gpa, access: write == nil ? .read : .write, write: write, rip: rip, on: vcpu, host: &host)
    case .halt(let rip): halt(vcpu, rip: rip, host: &host)
    case .kicked: break
    case .failed(let reason, let detail, let gpa, let rip):
      // There is no instruction where nothing is: a jump into the region that is not in the view comes to this.
      if let gpa, configuration.region.contains(gpa), !stops.isRegionMapped {
        handleUnmappedAccess(gpa: gpa, access: .execute, write: nil, rip: rip, on: vcpu, host: &host)
      }
      requestEnd(reason, detail: detail, host: &host)
    }
    if let late { _ = host.record(late) }
    pokeAll(host: &host)
  }

  /// A halt in the privileged mode does nothing: no interrupt is delivered there that could end it. In integrity mode it is refused as what it
  /// is, a way to hold on to the mode: the vCPU is alerted about, loses the mode, and halts.
  private mutating func halt(_ vcpu: Int, rip: UInt64, host: inout some HypervisorHost) {
    if stops.isInside(vcpu) { return }
    if vcpus[vcpu].hasIntegrity, !faults.contains(.haltInMode) {
      let refusal = refuse(.haltInMode, rip: rip, cause: 0, vcpu: vcpu, host: &host)
      leave(Event(.integrityLeave, vcpu: UInt16(vcpu), rip: rip, cause: refusal), host: &host)
    }
    vcpus[vcpu].isHalted = true
    _ = host.record(Event(.vcpuHalt, vcpu: UInt16(vcpu), rip: rip))
  }

  /// Ends the session, unless it is over already. Every vCPU is taken out of the guest.
  public mutating func requestEnd(_ reason: EndReason, detail: String = "", host: inout some HypervisorHost) {
    guard sessionEnd == nil else { return }
    sessionEnd = reason
    sessionEndDetail = detail
    for index in vcpus.indices { stops.poke(index) }
    pokeAll(host: &host)
  }

  // MARK: Interrupts from the host

  /// Latches an interrupt for the privileged mode, from the host. False where the vCPU is not online.
  public mutating func raisePrivileged(_ target: Int, host: inout some HypervisorHost) -> Bool {
    guard isOnline(target), sessionEnd == nil else { return false }
    raisePrivileged(target, sender: Event.host, cause: 0, host: &host)
    pokeAll(host: &host)
    return true
  }

  /// Sends an ordinary interrupt, from the host. False where the vCPU is not online.
  public mutating func raiseInterrupt(_ target: Int, vector: UInt8, host: inout some HypervisorHost) -> Bool {
    guard isOnline(target), sessionEnd == nil else { return false }
    raiseInterrupt(target, vector: vector, sender: Event.host, cause: 0, host: &host)
    pokeAll(host: &host)
    return true
  }

  mutating func raisePrivileged(_ target: Int, sender: UInt16, cause: UInt64, host: inout some HypervisorHost) {
    stops.raise(target, sender: sender, cause: cause, host: &host)
  }

  mutating func raiseInterrupt(_ target: Int, vector: UInt8, sender: UInt16, cause: UInt64, host: inout some HypervisorHost) {
    interrupts.raise(target, vector: vector, sender: sender, cause: cause, host: &host)
    vcpus[target].isAsleep = false
    stops.poke(target)
  }

  // MARK: vCPUs

  func isOnline(_ vcpu: Int) -> Bool { vcpus.indices.contains(vcpu) && vcpus[vcpu].life == .online }

  /// Whether the vCPU is in integrity mode now. In the privileged mode it is not: its integrity mode is suspended until it returns.
  func isInIntegrityMode(_ vcpu: Int) -> Bool { vcpus[vcpu].hasIntegrity && !stops.isInside(vcpu) }

  mutating func start(
    _ target: Int, rip: UInt64, argument: UInt64, sender: UInt16, cause: UInt64, host: inout some HypervisorHost
  ) {
    let seq = host.record(Event(.vcpuStart, vcpu: sender, rip: rip, cause: cause, a: UInt64(target)))
    if faults.contains(.loseStart), stops.phase != .free { return }
    vcpus[target].life = .starting(event: seq, rip: rip, argument: argument)
    host.wake(target)
  }

  /// Lets every vCPU look again that the last transitions concern: out of the guest, or out of its wait.
  mutating func pokeAll(host: inout some HypervisorHost) {
    let pokes = stops.takePokes()
    for index in vcpus.indices where pokes & 1 << UInt64(index) != 0 {
      if vcpus[index].isExecuting { host.kick(index) } else { host.wake(index) }
    }
  }
}

extension HypervisorCore: Hashable {
  /// The configuration takes part in equality only: it does not change.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(sessionEnd)
    hasher.combine(vcpus)
    hasher.combine(stops)
    hasher.combine(interrupts)
    hasher.combine(traces)
    hasher.combine(registration)
  }
}
