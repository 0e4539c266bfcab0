internal import TraceEvents

/// What is sent by one event and taken by another, as arrows: which events are ends of which.
///
/// A signal that is not taken within the next `limit` signals counts as not taken.
struct SignalFlows {
  enum Kind: String {
    /// `stop-send` to `stop-ack`, or to the `vcpu-offline` that answers it.
    case stop
    /// `stop-ack` (or that `vcpu-offline`) to the `region-map` that waited for it.
    case acknowledgement
    /// `resume-send` to `resume-take`.
    case resume
    /// `privileged-raise` to `mode-enter`.
    case entry
    /// `interrupt-raise` to `interrupt-deliver`.
    case interrupt
    /// `vcpu-start` to `vcpu-online`.
    case start
  }

  /// The ends of arrows that an event is.
  struct Ends {
    /// The one that begins here; its number is the event's.
    var begun: Kind?
    /// Those that end here, by the number of the event where they began.
    var ended: [(kind: Kind, seq: UInt64)] = []

    var isEmpty: Bool { begun == nil && ended.isEmpty }
  }

  /// By the number of the event where it began.
  private var pending: [UInt64: Kind] = [:]
  /// The latest that began, a ring once it is full.
  private var latest: [UInt64] = []
  private var next = 0
  private let limit: Int
  /// Arrows that turned out to have no end, since this was last emptied.
  var unanswered: [UInt64] = []

  init(limit: Int = 1 << 14) { self.limit = limit }

  static func concerns(_ kind: EventKind) -> Bool {
    switch kind {
    case .stopSend, .stopAck, .vcpuOffline, .regionMap, .resumeSend, .resumeTake, .privilegedRaise, .modeEnter, .interruptRaise, .interruptDeliver, .vcpuStart,
      .vcpuOnline:
      true
    default: false
    }
  }

  mutating func take(_ event: Event) -> Ends {
    var ends = Ends()
    switch event.kind {
    case .stopSend: ends.begun = .stop
    case .resumeSend: ends.begun = .resume
    case .interruptRaise: ends.begun = .interrupt
    case .vcpuStart: ends.begun = .start
    // One that coalesced leads to no entry of its own.
    case .privilegedRaise: ends.begun = event.b == 1 ? nil : .entry
    case .stopAck, .vcpuOffline:
      ends.begun = event.kind == .stopAck || event.b != 0 ? .acknowledgement : nil
      end(.stop, event.cause, &ends)
    case .regionMap: for seq in event.words { end(.acknowledgement, seq, &ends) }
    case .resumeTake: end(.resume, event.cause, &ends)
    case .modeEnter: end(.entry, event.cause, &ends)
    case .interruptDeliver: end(.interrupt, event.cause, &ends)
    case .vcpuOnline: end(.start, event.cause, &ends)
    default: break
    }
    if let kind = ends.begun { begin(kind, event.seq) }
    return ends
  }

  private mutating func begin(_ kind: Kind, _ seq: UInt64) {
    pending[seq] = kind
    guard latest.count == limit else { return latest.append(seq) }
    if pending.removeValue(forKey: latest[next]) != nil { unanswered.append(latest[next]) }
    latest[next] = seq
    next = (next + 1) % limit
  }

  private mutating func end(_ kind: Kind, _ seq: UInt64, _ ends: inout Ends) {
    guard pending[seq] == kind else { return }
    pending[seq] = nil
    ends.ended.append((kind, seq))
  }

  /// Nothing more comes.
  mutating func finish() {
    unanswered += pending.keys
    pending = [:]
  }
}
