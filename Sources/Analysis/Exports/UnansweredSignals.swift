internal import TraceEvents
public import TraceFormat

/// A look at the whole trace for the signals that nobody takes: an arrow that has no end has no beginning, either.
public struct UnansweredSignals: TracePass {
  private var flows = SignalFlows()
  private var seqs: Set<UInt64> = []
  /// From here on none is known to be answered.
  private var end = UInt64.max
  private static let limit = 1 << 20

  public init() {}

  public var isDone: Bool { end < .max }

  public mutating func consume(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while cursor.next() {
        if SignalFlows.concerns(cursor.kind) { _ = flows.take(cursor.event) }
      }
    }
    collect()
    // Not more than there is room for: of those that come later nothing is told.
    if seqs.count > Self.limit { end = batch.firstSeq + UInt64(batch.count) }
  }

  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {}

  /// Nothing more comes.
  public mutating func finish() {
    flows.finish()
    collect()
  }

  private mutating func collect() {
    seqs.formUnion(flows.unanswered)
    flows.unanswered = []
  }

  /// Whether the signal of this event is not taken, as far as is known.
  func contains(_ seq: UInt64) -> Bool { seq >= end || seqs.contains(seq) }
}
