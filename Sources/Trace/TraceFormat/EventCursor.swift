public import TraceEvents

/// Walks a batch in order. `next()` moves to the next event and says whether there is one; the properties then speak of that event.
///
/// Operands are looked up when asked for. An operand that the event's kind does not carry reads as 0.
@safe @frozen public struct EventCursor: ~Copyable {
  @usableFromInline let count: Int
  @usableFromInline let firstSeq: UInt64
  @usableFromInline let slots: UnsafePointer<UInt8>
  @usableFromInline let masks: UnsafePointer<UInt8>
  @usableFromInline let laneVCPUs: UnsafePointer<UInt16>
  @usableFromInline let columns: UnsafePointer<UnsafeMutablePointer<UInt64>?>
  @usableFromInline let dataOffsets: UnsafePointer<UnsafeMutablePointer<UInt32>?>
  @usableFromInline let bytes: UnsafeRawPointer
  @usableFromInline let block: UnsafePointer<UInt8>
  @usableFromInline let slotCount: Int
  // SAFETY: `withCursor` holds the batch for as long as the cursor lives.
  @usableFromInline let batch: Unmanaged<EventBatch>
  /// By lane: where its next kind is in the block. Owned.
  @usableFromInline let laneNext: UnsafeMutablePointer<UInt32>
  /// By lane and slot: the next event of the kind. Owned.
  @usableFromInline let positions: UnsafeMutablePointer<UInt32>

  /// The run of a lane after the one under way.
  @usableFromInline var run: UnsafePointer<EventBatch.LaneRun>
  /// Events that this run still has after the current one.
  @usableFromInline var left = 0
  @usableFromInline var lane = 0
  /// The lane's part of `positions`.
  @usableFromInline var row: UnsafeMutablePointer<UInt32>
  /// The current event's kind in the block.
  @usableFromInline var at: UnsafePointer<UInt8>
  /// Events up to and including the current one.
  @usableFromInline var passed = 0
  /// Which event of its kind the current one is.
  @usableFromInline var index = 0
  @usableFromInline var slot = 0

  /// The batch must outlive the cursor: only `EventBatch.withCursor` makes one.
  @usableFromInline @unsafe init(_ batch: EventBatch) {
    count = batch.count
    firstSeq = batch.firstSeq
    unsafe slots = UnsafePointer(batch.slots)
    unsafe masks = UnsafePointer(batch.masks)
    unsafe laneVCPUs = UnsafePointer(batch.laneVCPUs.base)
    unsafe columns = UnsafePointer(batch.columns)
    unsafe dataOffsets = UnsafePointer(batch.dataOffsets)
    unsafe bytes = UnsafeRawPointer(batch.data.base)
    unsafe block = UnsafePointer(batch.block.base)
    slotCount = batch.slotCount
    unsafe self.batch = .passUnretained(batch)
    let lanes = batch.count == 0 ? 0 : batch.laneCount
    unsafe laneNext = .allocate(capacity: lanes + 1)
    unsafe laneNext.initialize(from: batch.laneKinds.base, count: lanes)
    unsafe positions = .allocate(capacity: lanes * slotCount + 1)
    unsafe positions.initialize(from: batch.positions.base, count: lanes * slotCount)
    unsafe run = UnsafePointer(batch.runs.base)
    unsafe row = unsafe positions
    unsafe at = unsafe block
  }

  @inlinable deinit {
    unsafe laneNext.deallocate()
    unsafe positions.deallocate()
  }

  /// Moves to the next event; false past the last one.
  @inlinable @inline(__always) public mutating func next() -> Bool {
    guard passed < count else { return false }
    if left == 0 { changeLane() } else { left &-= 1 }
    // SAFETY: the batch's decoder checked every lane and kind, and that runs and lanes hold `count` events.
    unsafe at = unsafe at + 1
    slot = unsafe Int(slots[Int(at[0])])
    let position = unsafe row[slot]
    unsafe row[slot] = position &+ 1
    index = Int(truncatingIfNeeded: position)
    passed &+= 1
    return true
  }

  /// Goes on with the next run, to before its first event.
  @inlinable @inline(__always) mutating func changeLane() {
    // SAFETY: as in `next()`; before the first run the lane is 0, and its own start is put back.
    if passed > 0 { unsafe laneNext[lane] = UInt32(truncatingIfNeeded: at - block) &+ 1 }
    lane = unsafe Int(run[0].lane)
    left = unsafe Int(run[0].count) &- 1
    unsafe run = unsafe run + 1
    unsafe row = unsafe positions + lane &* slotCount
    unsafe at = unsafe block + Int(laneNext[lane]) - 1
  }

  // MARK: Events of one kind

  /// Shows the address and the number of the current event and of those that follow it on its vCPU and have its kind, until `body` refuses one.
  /// The cursor is then at the refused event, and the answer false; else it is at the last one shown.
  @inlinable @inline(__always) public mutating func passStreak(_ body: (_ gpa: UInt64, _ seq: UInt64) -> Bool) -> Bool {
    let first = seq
    // SAFETY: addresses are loaded with the batch; the events of a streak follow each other among those of their kind.
    guard mask & 1 != 0, let addresses = unsafe columns[slot &* 9] else { return body(0, first) }
    let length = streak
    let start = unsafe UnsafePointer(addresses) + index
    var distance = 0
    while distance < length {
      guard unsafe body(start[distance], first &+ UInt64(truncatingIfNeeded: distance)) else {
        skip(distance)
        return false
      }
      distance &+= 1
    }
    skip(length &- 1)
    return true
  }

  /// How many events from the current one on follow each other on its vCPU and have its kind.
  @inlinable var streak: Int {
    @inline(__always) get {
      // SAFETY: the block is readable past its end.
      unsafe EventLayout.streak(at, limit: left &+ 1)
    }
  }

  /// Moves on by so many events, all of them in the streak.
  @inlinable @inline(__always) mutating func skip(_ distance: Int) {
    left &-= distance
    unsafe at = unsafe at + distance
    index &+= distance
    passed &+= distance
    unsafe row[slot] = UInt32(truncatingIfNeeded: index &+ 1)
  }

  // MARK: The current event

  @inlinable var mask: UInt8 { @inline(__always) get { unsafe masks[slot] } }

  @inlinable @inline(__always) func operand(_ column: Int) -> UInt64 {
    guard mask >> UInt8(truncatingIfNeeded: column) & 1 != 0 else { return 0 }
    let number = slot &* 9 &+ column
    if let values = unsafe columns[number] { return unsafe values[index] }
    return unsafe Self.load(number, index, of: batch)
  }

  // Loading takes what it needs of the cursor one by one: passing on all of it would copy it each time that something is asked for.

  @usableFromInline @inline(never) @unsafe static func load(_ number: Int, _ index: Int, of batch: Unmanaged<EventBatch>) -> UInt64 {
    unsafe batch._withUnsafeGuaranteedRef { unsafe $0.load(number)[index] }
  }

  @usableFromInline @inline(never) @unsafe static func loadTime(_ event: Int, of batch: Unmanaged<EventBatch>) -> UInt64 {
    unsafe batch._withUnsafeGuaranteedRef { unsafe $0.loadTimes()[event] }
  }

  @usableFromInline @inline(never) @unsafe static func loadData(_ slot: Int, of batch: Unmanaged<EventBatch>) -> UnsafeMutablePointer<UInt32> {
    unsafe batch._withUnsafeGuaranteedRef { unsafe $0.loadData(slot) }
  }

  @inlinable public var kind: EventKind { @inline(__always) get { unsafe EventKind(rawValue: at[0]) } }
  @inlinable public var vcpu: UInt16 { @inline(__always) get { unsafe laneVCPUs[lane] } }
  @inlinable public var seq: UInt64 { @inline(__always) get { firstSeq &+ UInt64(truncatingIfNeeded: passed &- 1) } }
  @inlinable public var time: UInt64 {
    @inline(__always) get {
      if let times = unsafe columns[EventBatch.allTimes] { return unsafe times[passed &- 1] }
      return unsafe Self.loadTime(passed &- 1, of: batch)
    }
  }

  @inlinable public var gpa: UInt64 { @inline(__always) get { operand(0) } }
  @inlinable public var rip: UInt64 { @inline(__always) get { operand(1) } }
  @inlinable public var cause: UInt64 {
    @inline(__always) get {
      let distance = operand(2)
      return distance == 0 ? 0 : seq &- distance
    }
  }
  @inlinable public var a: UInt64 { @inline(__always) get { operand(3) } }
  @inlinable public var b: UInt64 { @inline(__always) get { operand(4) } }
  @inlinable public var c: UInt64 { @inline(__always) get { operand(5) } }
  @inlinable public var d: UInt64 { @inline(__always) get { operand(6) } }

  /// Where the data are; nil where the kind carries none.
  @inlinable var offsets: UnsafePointer<UInt32>? {
    @inline(__always) get {
      guard mask & 0x80 != 0 else { return nil }
      return unsafe UnsafePointer(dataOffsets[slot] ?? Self.loadData(slot, of: batch)) + index
    }
  }

  /// Bytes of data.
  @inlinable public var dataCount: Int {
    @inline(__always) get {
      guard let offsets = unsafe offsets else { return 0 }
      return unsafe Int(offsets[1] &- offsets[0])
    }
  }

  /// The event's data, valid until the cursor moves.
  @inlinable public var data: RawSpan {
    @inline(__always) @_lifetime(borrow self) get {
      var (start, end) = (0, 0)
      if let offsets = unsafe offsets { (start, end) = unsafe (Int(offsets[0]), Int(offsets[1])) }
      let span = unsafe RawSpan(_unsafeStart: bytes + start, byteCount: end &- start)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The event's data copied out.
  public var dataBytes: [UInt8] {
    unsafe data.withUnsafeBytes { unsafe [UInt8]($0) }
  }

  /// The whole event as a value. Allocates where there is data.
  public var event: Event {
    Event(kind, vcpu: vcpu, seq: seq, time: time, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: dataBytes)
  }
}
