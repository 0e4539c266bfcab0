/// A place on the timeline: an event's number and time.
public struct LanePoint: Hashable, Sendable {
  public var seq: UInt64
  /// Nanoseconds since the session start.
  public var time: UInt64

  public init(seq: UInt64, time: UInt64) {
    self.seq = seq
    self.time = time
  }
}
