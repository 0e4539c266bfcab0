internal import TraceEvents
internal import TraceFormat

/// Where one vCPU is, folded from its events: enough to name its lane's mode.
struct LaneState: Sendable {
  private(set) var life = MachineState.Life.notStarted
  private(set) var place = MachineState.Place.normal
  private(set) var isHalted = false
  private(set) var inIntegrityMode = false
  /// False from a hole on until an event tells where it is.
  private(set) var isKnown = true

  init() {}

  init(_ vcpu: MachineState.VCPU) {
    (life, place, isHalted, inIntegrityMode) = (vcpu.life, vcpu.place, vcpu.isHalted, vcpu.inIntegrityMode)
  }

  var mode: LaneMode {
    guard isKnown else { return .unknown }
    guard life == .online else { return .offline }
    switch place {
    case .stopped: return .stopped
    case .claiming, .leaving: return .transit
    case .privileged: return .privileged
    case .normal: return isHalted ? .halted : inIntegrityMode ? .integrity : .normal
    }
  }

  mutating func forget() { (isKnown, isHalted, inIntegrityMode) = (false, false, false) }

  /// Takes in an event of this vCPU; says whether its mode may be another now.
  mutating func apply(_ kind: EventKind, a: UInt64) -> Bool {
    switch kind {
    case .vcpuOnline: (life, place, isHalted, inIntegrityMode, isKnown) = (.online, a == 1 ? .stopped : .normal, false, false, true)
    case .vcpuOffline: (life, place, isKnown) = (.offline, .normal, true)
    case .vcpuHalt: isHalted = true
    case .vcpuUnhalt: isHalted = false
    case .integrityEnter, .integrityLeave:
      inIntegrityMode = kind == .integrityEnter
      // Asked for from ordinary guest code: that tells where it is.
      if !isKnown { move(to: .normal) }
    case .rendezvousClaim: move(to: .claiming)
    case .stopAck: move(to: .stopped)
    case .modeEnter: move(to: .privileged)
    case .modeExit: move(to: a == ExitPath.last.rawValue ? .leaving : .stopped)
    case .resumeTake, .modeReturn: goBack(to: Activity(rawValue: a))
    default: return false
    }
    return true
  }

  private mutating func move(to new: MachineState.Place) { (life, place, isKnown) = (.online, new, true) }

  /// What it goes back to is said by the event: known again after a hole.
  private mutating func goBack(to activity: Activity) {
    move(to: .normal)
    isHalted = activity.inIntegrityMode(false) == .halted
    inIntegrityMode = activity.inIntegrityMode
  }
}
