public import TraceEvents

/// The machine as the events tell it up to the one before the event in hand: what a `RuleJudge` may look at besides that event.
///
/// It is lent for one call. What a hole in the trace made unknown is `unknown` or nil until events tell.
@safe public struct MachineView: ~Escapable {
  /// What a vCPU is about, by the stop protocol. Integrity mode goes beside it: see `isInIntegrityMode(_:)`.
  public enum Mode: Sendable {
    /// Executes, or may execute, ordinary guest code.
    case guest
    /// Acknowledged a stop signal, or left the privileged mode while others are in it.
    case stopped
    /// In the privileged mode.
    case privileged
    /// Between a claim and its entry, or between the last exit and its return: executes nothing.
    case working
    /// Not started yet, or gone.
    case offline
    /// Not known, after a hole in the trace.
    case unknown
  }

  /// What becomes of a write, by the pages that were registered and the tree as it was replayed.
  public enum WriteDecision: Hashable, Sendable {
    /// It goes through, and nobody is alerted.
    case pass
    /// An alert is called for. `action` is nil for one that this version does not know; `since` is the event that called for it first.
    case alert(origin: AlertOrigin, action: AlertAction?, since: UInt64)
    /// The trace does not show enough to tell.
    case unknown
  }

  // SAFETY: both are the analyzer's own, and outlive the view: it is made for one call, and cannot escape from that.
  private let facts: UnsafePointer<Facts>
  private let protection: UnsafePointer<Protection>

  @_lifetime(borrow facts, borrow protection)
  init(_ facts: UnsafePointer<Facts>, _ protection: UnsafePointer<Protection>) {
    unsafe self.facts = facts
    unsafe self.protection = protection
  }

  private func fact<Value>(_ vcpu: UInt16, _ path: (Facts.VCPU) -> Value, unknown: Value) -> Value {
    guard Int(vcpu) < vcpuCount else { return unknown }
    return unsafe path(facts.pointee.vcpus[Int(vcpu)])
  }
}

/// Of `vcpu`, numbers that no vCPU has, `Event.host` among them, are answered as unknown.
extension MachineView {
  public var vcpuCount: Int { unsafe facts.pointee.vcpus.count }

  public func mode(of vcpu: UInt16) -> Mode {
    fact(vcpu, { Mode($0.mode) }, unknown: .unknown)
  }

  /// Whether the vCPU is in integrity mode, and not suspended in it by the privileged mode; nil where that is not known.
  public func isInIntegrityMode(_ vcpu: UInt16) -> Bool? {
    switch unsafe protection.pointee.modes.state(of: vcpu) {
    case .inside: true
    case .outside: false
    case .unknown: nil
    }
  }

  /// Whether the vCPU waits in a halt.
  public func isHalted(_ vcpu: UInt16) -> Bool { fact(vcpu, { $0.isHalted }, unknown: false) }

  /// Whether the vCPU executes guest code: it is between a `guestEnter` and its `guestExit`.
  public func isInGuest(_ vcpu: UInt16) -> Bool { fact(vcpu, { $0.isInGuest }, unknown: false) }

  /// The vCPU's last `guestEnter`, nil where there was none: a `pageWrite` happened somewhere after it.
  public func lastEnter(of vcpu: UInt16) -> UInt64? {
    let seq = fact(vcpu, { $0.lastEnter }, unknown: 0)
    return seq == 0 ? nil : seq
  }
}

extension MachineView {
  /// Guest-physical memory.
  public var memory: [GuestRange] { unsafe facts.pointee.memory }

  /// The special memory region, which holds the privileged mode's code.
  public var region: GuestRange { unsafe facts.pointee.region }

  /// Whether the region is in the global view; nil where that is not known.
  public var isRegionMapped: Bool? { unsafe facts.pointee.isRegionKnown ? facts.pointee.isRegionMapped : nil }

  /// Whether all `count` bytes from `gpa` on are guest memory.
  public func isGuestMemory(_ gpa: UInt64, count: UInt64 = 1) -> Bool { unsafe facts.pointee.isGuestMemory(gpa, count: count) }

  /// Whether the page at `gpa` carries a write trace; nil where that is not known.
  public func isTraced(_ gpa: UInt64) -> Bool? {
    let frame = gpa >> 12
    if unsafe protection.pointee.traced.isTraced(frame) { return true }
    return unsafe protection.pointee.traced.isUntraced(frame) ? false : nil
  }

  /// What a write by `vcpu` of `count` bytes at `gpa` calls for now, whoever makes it or not. The bytes must be those of one page.
  public func decision(onWriteBy vcpu: UInt16, to gpa: UInt64, count: UInt64) -> WriteDecision {
    switch unsafe protection.pointee.decision(vcpu: vcpu, gpa: gpa, count: count) {
    case .none: .pass
    case .unknown: .unknown
    case .alert(let origin, let action, let basis): .alert(origin: origin, action: AlertAction(rawValue: action), since: basis.seq)
    }
  }

  /// The kind of the driver's page at `gpa`; nil where none was registered there.
  public func driverPageKind(at gpa: UInt64) -> DriverPageKind? { unsafe protection.pointee.registration.driverPageKind(of: gpa >> 12) }

  /// The one address that integrity mode may be entered from, once it was registered.
  public var entryPoint: UInt64? { unsafe protection.pointee.registration.entryPoint }

  /// Where the tree's base node is, once that was registered.
  public var basePointer: UInt64? { unsafe protection.pointee.registration.basePointer }

  /// The event that locked registration; nil before it, or where it is not in the trace.
  public var registrationLock: UInt64? { unsafe protection.pointee.registration.lockedAt }
}

extension MachineView.Mode {
  fileprivate init(_ mode: Facts.Mode) {
    self =
      switch mode {
      case .normal: .guest
      case .stopped: .stopped
      case .privileged: .privileged
      case .working: .working
      case .offline: .offline
      case .unknown: .unknown
      }
  }
}
