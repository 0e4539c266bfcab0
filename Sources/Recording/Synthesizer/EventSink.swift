public import TraceEvents

/// Takes events in order and numbers them: a trace writer, or an array in a test.
public protocol EventSink {
  /// Appends an event (its `seq` is ignored) and returns the sequence number it got.
  mutating func append(_ event: borrowing Event) throws -> UInt64
}
