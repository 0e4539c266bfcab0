public import Interchange
public import TraceEvents
public import TraceFormat

/// A trace in another format, made event by event, as bytes that whoever writes them takes away as they come.
///
/// Takes the events in order, and what is missing where it is missing, between `begin` and `finish`. What it keeps does not grow with the trace.
public protocol EventExport: ~Copyable {
  /// What comes before the first event.
  mutating func begin()

  mutating func take(_ event: Event)

  /// Takes the cursor's event: as a value, unless there is a cheaper way.
  mutating func take(_ cursor: borrowing EventCursor)

  /// As in `TracePass`.
  mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?)

  /// What comes after the last event.
  mutating func finish()

  /// Bytes that wait to be taken away.
  var pendingCount: Int { get }

  /// Hands on those bytes.
  mutating func flush(to output: (RawSpan) throws -> Void) rethrows
}

extension EventExport where Self: ~Copyable {
  public mutating func take(_ cursor: borrowing EventCursor) { take(cursor.event) }
}

/// RAPID's format has neither head nor foot.
extension TraceExport: EventExport {
  public mutating func begin() {}
  public mutating func finish() {}
}
