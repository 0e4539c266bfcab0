/// One event as a value: for tests, for `dump`, for rare kinds. Streams of events are held in columns instead.
public struct Event: Hashable, Sendable {
  /// The vCPU number that stands for the host itself.
  public static let host: UInt16 = .max

  /// Global sequence number, from 1, without holes within a frame.
  public var seq: UInt64
  /// Nanoseconds of the recorder's monotonic clock since the session start; never falls.
  public var time: UInt64
  public var kind: EventKind
  /// The vCPU that did it, or `Event.host`.
  public var vcpu: UInt16
  public var gpa: UInt64
  public var rip: UInt64
  public var cause: UInt64
  public var a: UInt64
  public var b: UInt64
  public var c: UInt64
  public var d: UInt64
  public var data: [UInt8]

  public init(
    _ kind: EventKind, vcpu: UInt16, seq: UInt64 = 0, time: UInt64 = 0, gpa: UInt64 = 0, rip: UInt64 = 0, cause: UInt64 = 0,
    a: UInt64 = 0, b: UInt64 = 0, c: UInt64 = 0, d: UInt64 = 0, data: [UInt8] = []
  ) {
    self.seq = seq
    self.time = time
    self.kind = kind
    self.vcpu = vcpu
    self.gpa = gpa
    self.rip = rip
    self.cause = cause
    self.a = a
    self.b = b
    self.c = c
    self.d = d
    self.data = data
  }
}
