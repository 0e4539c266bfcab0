internal import TraceEvents
internal import TraceFormat

/// Gathers the events that a search chooses from: all of a trace, or those that the finding most likely rests on where that is too many to hold.
struct EventCollector: TracePass {
  /// Events and bytes of data that are held at most.
  static let eventLimit = 2_000_000
  static let dataLimit = 256 << 20

  private let relevance: Relevance
  /// Events less relevant are passed over.
  private let threshold: UInt64
  private(set) var events: [Event] = []
  private(set) var scores: [UInt64] = []
  /// The last event before the finding behind which nothing from before is known: it must stay. An index.
  private(set) var lastHole: Int?
  private let target: UInt64
  /// The highest number of the trace.
  private(set) var lastSeq: UInt64 = 0

  init(_ relevance: Relevance, threshold: UInt64, target: UInt64) {
    self.relevance = relevance
    self.threshold = threshold
    self.target = target
  }

  var isDone: Bool { false }

  mutating func consume(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while cursor.next() {
        lastSeq = cursor.seq
        guard cursor.kind.row != nil else { continue }
        let isLoss = cursor.kind == .eventsLost
        let score = isLoss ? 1 : relevance.score(cursor.kind, seq: cursor.seq, gpa: cursor.gpa, pageCount: cursor.a)
        guard score <= threshold else { continue }
        if isLoss, cursor.b != LossCause.dirtyRingOverflow.rawValue, cursor.seq <= target { lastHole = events.count }
        events.append(cursor.event)
        scores.append(score)
      }
    }
  }

  /// What a reader misses, the copy tells as a recorder tells what it lost: the numbers that would show it are given anew.
  mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    let at = max(lastSeq, self.lastSeq)
    if at <= target { lastHole = events.count }
    self.lastSeq = at
    let cause: LossCause = damage == nil ? .recorderOverflow : .damagedFrame
    events.append(
      Event(
        .eventsLost, vcpu: Event.host, seq: at, time: events.last?.time ?? 0, a: lostEvents, b: cause.rawValue,
        data: Array((damage ?? "").utf8.prefix(TraceLimits.dataPerEvent))))
    scores.append(1)
  }
}

/// Counts events by relevance, to know how relevant those must be that can be held.
struct RelevanceCount: TracePass {
  private let relevance: Relevance
  /// By the score's logarithm, in quarters.
  private var counts = Array(repeating: 0, count: 256)
  private var sizes = Array(repeating: 0, count: 256)

  init(_ relevance: Relevance) { self.relevance = relevance }

  var isDone: Bool { false }

  private static func bucket(_ score: UInt64) -> Int {
    guard score > 3 else { return Int(score) }
    let log = 63 - score.leadingZeroBitCount
    return log << 2 | Int(score >> UInt64(log - 2) & 3)
  }

  mutating func consume(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while cursor.next() {
        let bucket = Self.bucket(relevance.score(cursor.kind, seq: cursor.seq, gpa: cursor.gpa, pageCount: cursor.a))
        counts[bucket] += 1
        sizes[bucket] += cursor.dataCount
      }
    }
  }

  mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {}

  /// The score up to which events can be held.
  var threshold: UInt64 {
    var (count, size) = (0, 0)
    for bucket in counts.indices {
      count += counts[bucket]
      size += sizes[bucket]
      if count > EventCollector.eventLimit || size > EventCollector.dataLimit {
        // The largest score of the bucket before.
        let (log, quarter) = (UInt64(bucket >> 2), UInt64(bucket & 3))
        return bucket < 12 ? UInt64(max(bucket, 1) - 1) : (4 + quarter) << (log - 2) - 1
      }
    }
    return .max
  }
}
