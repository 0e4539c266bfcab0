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
  static let races = Interests(rawValue: 1 << 6)
  static let all: Interests = [.facts, .stop, .integrity, .alerts, .tree, .races]

  static func judges(of kind: EventKind) -> Interests {
    switch kind {
    case .sessionStart, .sessionEnd, .eventsLost: [.engine, .facts, .stop, .integrity, .alerts, .tree]
    case .console: []
    default: .all
    }
  }
}
