/// Something that takes in a whole trace once, from the first event to the last.
public protocol TracePass: ~Copyable {
  /// Takes the events of one block, in order.
  mutating func consume(_ batch: EventBatch)

  /// The reader says that something is missing before the next event, and how much, as far as it knows.
  ///
  /// `lostEvents` is 0 where nobody knows how many; `firstSeq ..< lastSeq + 1` are the missing numbers, 0 and 0 where not known. `damage` says what is
  /// wrong with the file there; nil is a plain gap.
  mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?)

  /// Nothing that comes later matters.
  var isDone: Bool { get }
}

/// Where passes get their trace from: a file, or events in memory. It can be read again and again.
public protocol TraceSource {
  /// Shows the whole trace to a pass, from the first event on, and what is missing of it where it is missing.
  func run<Pass: TracePass & ~Copyable>(_ pass: inout Pass)
}
