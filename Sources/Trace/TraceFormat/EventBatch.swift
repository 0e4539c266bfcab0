public import TraceEvents

/// The events of one block, decoded: buffers that are reused from block to block, read through an `EventCursor`.
///
/// Everything in it was checked when it was filled, so that reading it needs no checks.
@safe public final class EventBatch {
  /// Sequence number of the first event.
  public internal(set) var firstSeq: UInt64 = 1
  public internal(set) var count = 0
  /// Events of kinds that the trace lists but this version does not know. The cursor yields them; most readers ignore them.
  public internal(set) var unknownCount = 0

  // Capacity of the buffers below.
  var capacity = 0
  var dataCapacity = 0
  var laneCount = 0
  let kindColumns: UnsafeMutablePointer<UInt8>
  let kindSteps: UnsafeMutablePointer<SIMD8<UInt32>>
  let laneVCPUs: UnsafeMutablePointer<UInt16>
  let laneStarts: UnsafeMutablePointer<SIMD8<UInt32>>
  /// By event: lane, kind, time.
  var lanes: UnsafeMutablePointer<UInt16>
  var kinds: UnsafeMutablePointer<UInt8>
  var times: UnsafeMutablePointer<UInt64>
  /// By column, lane after lane: dense values. The eighth holds offsets into `data`, one more than there are values. Each is readable two past its end.
  let columns: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>>
  var data: UnsafeMutableRawPointer

  /// What the decoder works in.
  let scratch = DecodingScratch()

  static let laneLimit = TraceLimits.vcpus + 1

  /// Whether this is how a trace begins that holds the end of a longer recording: with an event that says how many came before it.
  public var beginsTail: Bool {
    guard count > 0 else { return false }
    return withCursor { cursor in
      guard cursor.next(), cursor.kind == .eventsLost else { return false }
      return cursor.b == LossCause.flightRecorder.rawValue && cursor.a == cursor.seq
    }
  }

  public init() {
    unsafe kindColumns = .allocate(capacity: 256)
    unsafe kindSteps = .allocate(capacity: 256)
    unsafe laneVCPUs = .allocate(capacity: Self.laneLimit)
    unsafe laneStarts = .allocate(capacity: Self.laneLimit)
    unsafe lanes = .allocate(capacity: 0)
    unsafe kinds = .allocate(capacity: 0)
    unsafe times = .allocate(capacity: 0)
    unsafe columns = .allocate(capacity: 8)
    for index in 0..<8 { unsafe (columns + index).initialize(to: .allocate(capacity: 2)) }
    unsafe data = .allocate(byteCount: 16, alignment: 8)
  }

  deinit {
    for index in 0..<8 { unsafe columns[index].deallocate() }
    unsafe kindColumns.deallocate()
    unsafe kindSteps.deallocate()
    unsafe laneVCPUs.deallocate()
    unsafe laneStarts.deallocate()
    unsafe lanes.deallocate()
    unsafe kinds.deallocate()
    unsafe times.deallocate()
    unsafe columns.deallocate()
    unsafe data.deallocate()
  }

  /// Makes room; what was in the batch is gone.
  func reserve(events: Int, data bytes: Int) {
    count = 0
    if events > capacity {
      // SAFETY: old buffers are released and replaced together; nobody holds a cursor while the batch is refilled.
      unsafe lanes.deallocate()
      unsafe kinds.deallocate()
      unsafe times.deallocate()
      unsafe lanes = .allocate(capacity: events)
      unsafe kinds = .allocate(capacity: events)
      unsafe times = .allocate(capacity: events)
      for index in 0..<8 {
        unsafe columns[index].deallocate()
        unsafe columns[index] = .allocate(capacity: events + 2)
      }
      capacity = events
    }
    if bytes > dataCapacity {
      unsafe data.deallocate()
      unsafe data = .allocate(byteCount: bytes + 16, alignment: 8)
      dataCapacity = bytes
    }
  }

  /// Time of the first and of the last event; both 0 where there is none.
  public var timeRange: ClosedRange<UInt64> {
    guard count > 0 else { return 0...0 }
    return unsafe times[0]...times[count - 1]
  }

  /// Reads the events in order, from before the first.
  @inlinable public func withCursor<Result, Failure: Error>(_ body: (inout EventCursor) throws(Failure) -> Result) throws(Failure) -> Result {
    var cursor = unsafe EventCursor(self)
    return try body(&cursor)
  }

  /// All events as values: for tests and small tools.
  public var events: [Event] {
    var all: [Event] = []
    all.reserveCapacity(count)
    withCursor { cursor in
      while cursor.next() { all.append(cursor.event) }
    }
    return all
  }
}
