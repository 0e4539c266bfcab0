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

  static func judges(of kind: EventKind) -> Interests {
    switch kind {
    case .sessionStart, .sessionEnd, .eventsLost: [.engine, .facts, .stop, .integrity, .alerts, .tree]
    case .console: []
    case .pageWrite, .writeResult, .guestWrite: [.stop, .integrity, .alerts, .tree]
    case .writeTrap, .pageContents, .traceRemove: [.stop, .alerts, .tree]
    case .hypercall, .traceInstall, .registrationLocked: [.stop, .tree]
    case .hypercallResult: [.stop, .integrity, .alerts, .tree]
    case .entryPointSet, .driverPagesSet, .basePointerSet: [.stop, .integrity, .tree]
    case .regionAccess, .alert, .refusal: [.stop, .alerts]
    case .guestEnter: [.stop, .alerts, .tree, .facts]
    case .guestExit: [.stop, .integrity, .facts]
    case .vcpuHalt: [.stop, .integrity, .facts]
    case .vcpuOffline, .integrityEnter, .integrityLeave: [.stop, .integrity, .tree, .facts]
    case .vcpuOnline, .stopAck, .modeEnter, .modeExit, .resumeTake, .modeReturn: [.stop, .tree, .facts]
    case .vcpuUnhalt, .rendezvousClaim, .regionMap, .regionUnmap: [.stop, .facts]
    case .interruptDeliver: [.stop, .integrity]
    // What moves: signals, interrupts on their way, and kinds that this version does not know.
    default: [.stop]
    }
  }
}
