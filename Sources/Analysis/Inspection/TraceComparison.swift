public import TraceEvents
public import TraceFormat

/// Compares two traces: of each vCPU, and of the host, the events in their own order, and where they first differ.
///
/// Times and numbers do not count. What an event answers (`cause`) counts as the place of that event in its vCPU's own order. Fed with batches of
/// either trace, whichever it wants next; what one trace is ahead by is kept as a digest an event, so that memory is bounded.
public struct TraceComparison: Sendable {
  public enum Side: Int, Sendable, CaseIterable {
    case a, b
    public var other: Side { self == .a ? .b : .a }
  }

  public struct Options: Sendable {
    /// Operands that do not count.
    public var ignored: Set<EventFingerprint.Part> = []
    /// Kinds of events that are passed over.
    public var ignoredKinds: Set<EventKind> = []
    /// Events, of all vCPUs together, that one trace may be ahead of the other by: 24 bytes each.
    public var skewLimit = 2_000_000
    /// How many pairs of events that agree are remembered before a divergence.
    public var contextLength = 3

    public init() {}
  }

  /// Why the events of a vCPU could not be compared to their end.
  public enum Reason: Hashable, Sendable {
    /// Events are missing there, from this number on.
    case hole(Side, from: UInt64)
    /// The trace ends without its end.
    case unfinished(Side)
    /// One trace is too far ahead of the other.
    case skew(Side)
    /// The traces hold the ends of recordings that begin at different events, so that places in the order mean nothing.
    case starts(a: UInt64, b: UInt64)
  }

  public enum Outcome: Hashable, Sendable {
    case agrees
    /// Numbers of the two events that differ; nil where that trace has no further event of this vCPU.
    case diverges(a: UInt64?, b: UInt64?)
    case undecided(Reason)
  }

  /// Two events that agree, by number.
  public struct Pair: Hashable, Sendable {
    public var a: UInt64
    public var b: UInt64
  }

  /// A vCPU, or the host.
  public struct Lane: Sendable {
    public let vcpu: UInt16
    /// How many events agree, from the first.
    public internal(set) var common: UInt64 = 0
    /// The last of them, oldest first.
    public internal(set) var context: [Pair] = []
    /// Nil as long as it is being compared.
    public internal(set) var outcome: Outcome?

    /// What one trace is ahead by.
    var ahead = EventQueue()
    var aheadSide = Side.a
  }

  public private(set) var lanes: [Lane]
  /// Events whose cause lies too far back to be compared.
  public private(set) var farCauses: UInt64 = 0
  /// The first event by which each trace says that the recorder lost some.
  public private(set) var losses: [UInt64?] = [nil, nil]

  private let options: Options
  private let counted: EventFingerprint.Counted
  /// By kind: whether its events are passed over.
  private let isIgnored: [Bool]
  private var sources: [EventSource]
  private var skew = [0, 0]
  private var openLanes: Int

  public init(vcpuCounts a: Int, _ b: Int, options: Options = Options()) {
    self.options = options
    counted = EventFingerprint.Counted(without: options.ignored)
    isIgnored = (0..<256).map { options.ignoredKinds.contains(EventKind(rawValue: UInt8($0))) }
    lanes = (0..<max(a, b)).map { Lane(vcpu: UInt16($0)) } + [Lane(vcpu: Event.host)]
    openLanes = lanes.count
    sources = [EventSource(lanes: lanes.count), EventSource(lanes: lanes.count)]
  }

  // MARK: Feeding

  /// The trace whose next batch is wanted; nil where all is decided.
  public var wants: Side? {
    guard openLanes > 0 else { return nil }
    switch (sources[0].isOver, sources[1].isOver) {
    case (true, true): return nil
    case (true, false): return .b
    case (false, true): return .a
    case (false, false): return skew[0] <= skew[1] ? .a : .b
    }
  }

  /// Takes in the next batch of a trace.
  public mutating func add(_ batch: EventBatch, from side: Side) {
    guard sources[side.rawValue].expects(batch.firstSeq) else {
      return stop(side, .hole(side, from: sources[side.rawValue].next))
    }
    batch.withCursor { cursor in
      while cursor.next() {
        if cursor.kind == .eventsLost, cursor.b != LossCause.flightRecorder.rawValue, losses[side.rawValue] == nil { losses[side.rawValue] = cursor.seq }
        guard !isIgnored[Int(cursor.kind.rawValue)] else {
          sources[side.rawValue].pass(cursor.seq)
          continue
        }
        let number = min(Int(cursor.vcpu), lanes.count - 1)
        let fingerprint = EventFingerprint(cursor, counted, sources[side.rawValue])
        sources[side.rawValue].place(cursor.seq, lane: number)
        if lanes[number].outcome == nil { meet(fingerprint, number, side) }
      }
    }
    if let first = sources[0].first, let other = sources[1].first, first != other { decideAll(.undecided(.starts(a: first, b: other))) }
    while skew[0] + skew[1] > options.skewLimit, giveUpWidest() {}
  }

  /// The trace has no more batches. `isComplete`: it was recorded to its end.
  public mutating func end(_ side: Side, isComplete: Bool) { stop(side, isComplete ? nil : .unfinished(side)) }

  /// Nothing more comes from this side; a reason says that it should have.
  private mutating func stop(_ side: Side, _ reason: Reason?) {
    sources[side.rawValue].isOver = true
    sources[side.rawValue].reason = reason
    for number in lanes.indices where lanes[number].outcome == nil {
      if lanes[number].aheadSide == side.other, let first = lanes[number].ahead.first {
        decide(number, .init(missing: side, other: first.seq, reason))
      } else if sources[side.other.rawValue].isOver {
        decideAtEnd(number)
      }
    }
  }

  private mutating func decideAtEnd(_ number: Int) {
    let lane = lanes[number]
    if let first = lane.ahead.first {
      let side = lane.aheadSide.other
      return decide(number, .init(missing: side, other: first.seq, sources[side.rawValue].reason))
    }
    let reason = sources[0].reason ?? sources[1].reason
    decide(number, reason.map { .undecided($0) } ?? .agrees)
  }

  // MARK: Comparing

  private mutating func meet(_ event: EventFingerprint, _ number: Int, _ side: Side) {
    let other = sources[side.other.rawValue]
    guard let first = lanes[number].ahead.first, lanes[number].aheadSide == side.other else {
      if other.isOver { return decide(number, .init(missing: side.other, other: event.seq, other.reason)) }
      lanes[number].aheadSide = side
      lanes[number].ahead.append(event)
      skew[side.rawValue] += 1
      return
    }
    let (a, b) = side == .a ? (event, first) : (first, event)
    if a.causeIsFar || b.causeIsFar { farCauses += 1 }
    guard a.agrees(with: b) else { return decide(number, .diverges(a: a.seq, b: b.seq)) }
    lanes[number].ahead.removeFirst()
    skew[side.other.rawValue] -= 1
    lanes[number].common += 1
    lanes[number].context.append(Pair(a: a.seq, b: b.seq))
    if lanes[number].context.count > options.contextLength { lanes[number].context.removeFirst() }
  }

  private mutating func decide(_ number: Int, _ outcome: Outcome) {
    lanes[number].outcome = outcome
    skew[lanes[number].aheadSide.rawValue] -= lanes[number].ahead.count
    lanes[number].ahead = EventQueue()
    openLanes -= 1
  }

  private mutating func decideAll(_ outcome: Outcome) {
    for number in lanes.indices where lanes[number].outcome == nil { decide(number, outcome) }
  }

  /// Gives up the vCPU of which the most is kept.
  private mutating func giveUpWidest() -> Bool {
    guard let widest = lanes.indices.filter({ lanes[$0].outcome == nil }).max(by: { lanes[$0].ahead.count < lanes[$1].ahead.count }) else { return false }
    decide(widest, .undecided(.skew(lanes[widest].aheadSide)))
    return true
  }
}

extension TraceComparison.Outcome {
  /// One trace has an event where the other has none: it ended, or what is there is not known.
  fileprivate init(missing side: TraceComparison.Side, other seq: UInt64, _ reason: TraceComparison.Reason?) {
    if let reason {
      self = .undecided(reason)
    } else {
      self = side == .a ? .diverges(a: nil, b: seq) : .diverges(a: seq, b: nil)
    }
  }
}

extension TraceComparison {
  public enum Verdict: String, Sendable {
    case same, differ, undecided
  }

  /// What the comparison came to, once nothing more is wanted.
  public var verdict: Verdict {
    if first != nil { return .differ }
    let isDecided = lanes.allSatisfy { $0.outcome == .agrees }
    return isDecided && losses.allSatisfy { $0 == nil } ? .same : .undecided
  }

  /// The vCPU that diverges first, by the lower number of its two events; nil where none does.
  public var first: Lane? {
    func number(_ lane: Lane) -> UInt64 {
      guard case .diverges(let a, let b) = lane.outcome else { return .max }
      return min(a ?? .max, b ?? .max)
    }
    return lanes.filter { number($0) != .max }.min { number($0) < number($1) }
  }
}
