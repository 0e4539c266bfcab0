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

/// A trace as it is stored: a source that also says what its file says of itself, whatever was read of it before.
public protocol StoredTrace: TraceSource {
  var header: TraceHeader { get }
  /// Bytes of the file.
  var size: UInt64 { get }
  /// Whether the recording was finished: the file ends as a whole one does.
  var isComplete: Bool { get }
  /// What was found to be damaged so far, a line each; all of it once a pass went through the whole trace.
  var damageLines: [String] { get }
}
