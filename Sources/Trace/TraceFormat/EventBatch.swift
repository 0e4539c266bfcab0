public import TraceEvents

/// The events of one block, decoded: buffers that are reused from block to block, read through an `EventCursor`.
///
/// Everything in it was checked when it was filled, so that reading it needs no checks. What must be put together from differences is there from
/// the start; times, data and the operands that are stored as they are stay in the block until somebody asks for one of their kind.
@safe public final class EventBatch {
  /// Sequence number of the first event.
  public internal(set) var firstSeq: UInt64 = 1
  public internal(set) var count = 0
  /// Events of kinds that the trace lists but this version does not know. The cursor yields them; most readers ignore them.
  public internal(set) var unknownCount = 0

  /// Events that follow each other and have the same lane.
  @usableFromInline struct LaneRun: BitwiseCopyable {
    @usableFromInline var lane: UInt32
    @usableFromInline var count: UInt32
  }

  /// The block before compression, readable some bytes past its end (`EventLayout.readablePastEnd`).
  var block = GrowingBuffer<UInt8>()
  var laneCount = 0
  var laneVCPUs = GrowingBuffer<UInt16>()
  /// Where each lane's first kind is in the block; kinds are in lane order.
  var laneKinds = GrowingBuffer<UInt32>()
  /// In the order of events.
  var runs = GrowingBuffer<LaneRun>()
  var runCount = 0

  // Each kind that the trace lists has a slot.
  var slotCount = 0
  let slots: UnsafeMutablePointer<UInt8>
  /// By slot: what the kind carries.
  let masks: UnsafeMutablePointer<UInt8>
  /// By lane and slot: which of its kind's events is the lane's first one.
  var positions = GrowingBuffer<UInt32>()
  /// By slot and column (`columnsPerSlot`): the values of the kind's events in lane order, nil until they are loaded. One more at the end: the times of all
  /// events in order.
  let columns: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>?>
  /// By slot and column: where the block has them.
  let stored: UnsafeMutablePointer<StoredSeries>
  var values = GrowingBuffer<UInt64>()
  var times = GrowingBuffer<UInt64>()
  var firstTime: UInt64 = 0
  var lastTime: UInt64 = 0

  /// By slot: where the data of each of its events begin, and where the last ones end; nil until they are put together.
  let dataOffsets: UnsafeMutablePointer<UnsafeMutablePointer<UInt32>?>
  let storedData: UnsafeMutablePointer<StoredData>
  /// By slot: where the next byte of a short piece of data is in the block, by position; one more for long pieces.
  let places: UnsafeMutablePointer<Int>
  var data = GrowingBuffer<UInt8>()
  var offsets = GrowingBuffer<UInt32>()
  /// Gaps and lengths of runs, while data are put together; other numbers while they are checked.
  var pieces = GrowingBuffer<UInt64>()

  /// A kind has seven operands, the lengths of its data, and the times since the event before (those in the order of events).
  static let columnsPerSlot = 9
  static let lengthsColumn = 7
  static let timesColumn = 8
  @usableFromInline static let allTimes = 256 * 9
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
    unsafe slots = .allocate(capacity: 256)
    unsafe masks = .allocate(capacity: 256)
    unsafe columns = .allocate(capacity: Self.allTimes + 1)
    unsafe columns.initialize(repeating: nil, count: Self.allTimes + 1)
    unsafe stored = .allocate(capacity: 256 * Self.columnsPerSlot)
    unsafe dataOffsets = .allocate(capacity: 256)
    unsafe dataOffsets.initialize(repeating: nil, count: 256)
    unsafe storedData = .allocate(capacity: 256)
    unsafe places = .allocate(capacity: 256 * EventLayout.placesPerKind)
  }

  deinit {
    unsafe slots.deallocate()
    unsafe masks.deallocate()
    unsafe columns.deallocate()
    unsafe stored.deallocate()
    unsafe dataOffsets.deallocate()
    unsafe storedData.deallocate()
    unsafe places.deallocate()
  }

  /// Empties the batch and makes it one of a trace with these kinds.
  func reset(_ table: KindTable) {
    count = 0
    slotCount = table.slotCount
    // SAFETY: the tables have 256 entries each, and one for each slot and column.
    for kind in 0..<256 {
      unsafe slots[kind] = table.slots[kind]
      if table.listed[kind] { unsafe masks[Int(table.slots[kind])] = table.columns[kind] }
    }
    unsafe columns.update(repeating: nil, count: slotCount * Self.columnsPerSlot)
    unsafe stored.update(repeating: StoredSeries(), count: slotCount * Self.columnsPerSlot)
    unsafe columns[Self.allTimes] = nil
    unsafe dataOffsets.update(repeating: nil, count: slotCount)
  }

  /// Time of the first and of the last event; both 0 where there is none.
  public var timeRange: ClosedRange<UInt64> { count > 0 ? firstTime...lastTime : 0...0 }

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
