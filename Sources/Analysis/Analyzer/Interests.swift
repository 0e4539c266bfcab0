internal import TraceEvents

/// Who looks at events of a kind. A judge is not called for kinds that cannot change what it knows.
struct Interests: OptionSet {
  var rawValue: UInt8

  static let facts = Interests(rawValue: 1 << 0)
  static let stop = Interests(rawValue: 1 << 1)
  static let integrity = Interests(rawValue: 1 << 2)
  static let alerts = Interests(rawValue: 1 << 3)
  static let tree = Interests(rawValue: 1 << 4)
  /// Losses and the end of the session.
  static let engine = Interests(rawValue: 1 << 5)
  /// Orders, and accesses to memory.
  static let races = Interests(rawValue: 1 << 6)

  /// Who is in integrity mode, and nothing else that protection has to do with.
  static let modes = Interests(rawValue: 1 << 7)

  static func judges(of kind: EventKind) -> Interests {
    switch kind {
    case .sessionStart, .sessionEnd, .eventsLost: [.engine, .facts, .stop, .integrity, .alerts, .tree]
    case .console: []
    case .pageWrite, .writeResult, .guestWrite: [.stop, .integrity, .alerts, .tree, .races]
    case .writeTrap, .traceRemove: [.stop, .alerts, .tree, .races]
    case .pageContents: [.stop, .alerts, .tree]
    case .hypercall, .registrationLocked: [.stop, .tree]
    case .traceInstall: [.stop, .tree, .races]
    case .hypercallResult: [.stop, .integrity, .alerts, .tree]
    case .entryPointSet, .driverPagesSet, .basePointerSet: [.stop, .integrity, .tree]
    case .regionAccess: [.stop, .alerts, .races]
    case .alert, .refusal: [.stop, .alerts]
    case .guestEnter: [.stop, .alerts, .tree, .facts]
    case .guestExit: [.stop, .integrity, .facts]
    case .vcpuHalt: [.stop, .integrity, .facts]
    case .vcpuOffline, .integrityEnter, .integrityLeave: [.stop, .integrity, .tree, .facts, .races]
    case .vcpuOnline, .stopAck, .modeEnter, .modeExit, .resumeTake, .modeReturn: [.stop, .modes, .facts, .races]
    case .vcpuUnhalt, .rendezvousClaim, .regionMap, .regionUnmap: [.stop, .facts, .races]
    case .interruptDeliver: [.stop, .integrity, .races]
    // What moves: signals, interrupts on their way, and kinds that this version does not know.
    default: [.stop, .races]
    }
  }
}
