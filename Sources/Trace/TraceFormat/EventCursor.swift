public import TraceEvents

/// Walks a batch in order. `next()` moves to the next event and says whether there is one; the properties then speak of that event.
///
/// A move costs one vector addition; operands are looked up when asked for. An operand that the event's kind does not carry reads as 0.
@safe @frozen public struct EventCursor: ~Copyable {
  @usableFromInline let count: Int
  @usableFromInline let firstSeq: UInt64
  @usableFromInline let lanes: UnsafePointer<UInt16>
  @usableFromInline let kinds: UnsafePointer<UInt8>
  @usableFromInline let times: UnsafePointer<UInt64>
  @usableFromInline let kindColumns: UnsafePointer<UInt8>
  @usableFromInline let kindSteps: UnsafePointer<SIMD8<UInt32>>
  @usableFromInline let laneVCPUs: UnsafePointer<UInt16>
  @usableFromInline let columns: UnsafePointer<UnsafeMutablePointer<UInt64>>
  @usableFromInline let bytes: UnsafeRawPointer
  /// Where each lane's next value is in each column. Owned.
  @usableFromInline let laneNext: UnsafeMutablePointer<SIMD8<UInt32>>
  /// Events up to and including the current one.
  @usableFromInline var passed = 0
  @usableFromInline var index = SIMD8<UInt32>()
  @usableFromInline var mask: UInt64 = 0

  /// The batch must outlive the cursor: only `EventBatch.withCursor` makes one.
  @usableFromInline @unsafe init(_ batch: EventBatch) {
    count = batch.count
    firstSeq = batch.firstSeq
    unsafe lanes = UnsafePointer(batch.lanes)
    unsafe kinds = UnsafePointer(batch.kinds)
    unsafe times = UnsafePointer(batch.times)
    unsafe kindColumns = UnsafePointer(batch.kindColumns)
    unsafe kindSteps = UnsafePointer(batch.kindSteps)
    unsafe laneVCPUs = UnsafePointer(batch.laneVCPUs)
    unsafe columns = UnsafePointer(batch.columns)
    unsafe bytes = UnsafeRawPointer(batch.data)
    unsafe laneNext = .allocate(capacity: batch.laneCount + 1)
    unsafe laneNext.initialize(from: batch.laneStarts, count: batch.laneCount)
  }

  @inlinable deinit { unsafe laneNext.deallocate() }

  /// Moves to the next event; false past the last one.
  @inlinable @inline(__always) public mutating func next() -> Bool {
    guard passed < count else { return false }
    // SAFETY: the batch's decoder checked every lane and kind, and that no lane's positions leave its columns.
    let lane = unsafe Int(lanes[passed])
    let kind = unsafe Int(kinds[passed])
    index = unsafe laneNext[lane]
    unsafe laneNext[lane] = index &+ kindSteps[kind]
    mask = unsafe UInt64(kindColumns[kind])
    passed &+= 1
    return true
  }

  /// A column's value at the lane's position, or 0. Positions of columns that the kind does not carry may be one past the end, which is readable.
  @inlinable @inline(__always) func operand(_ column: Int) -> UInt64 {
    unsafe columns[column][Int(truncatingIfNeeded: index[column])] & (0 &- (mask >> UInt64(truncatingIfNeeded: column) & 1))
  }

  @inlinable public var kind: EventKind { @inline(__always) get { unsafe EventKind(rawValue: kinds[passed &- 1]) } }
  @inlinable public var vcpu: UInt16 { @inline(__always) get { unsafe laneVCPUs[Int(lanes[passed &- 1])] } }
  @inlinable public var seq: UInt64 { @inline(__always) get { firstSeq &+ UInt64(truncatingIfNeeded: passed &- 1) } }
  @inlinable public var time: UInt64 { @inline(__always) get { unsafe times[passed &- 1] } }
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

  @inlinable var dataStart: Int { @inline(__always) get { unsafe Int(truncatingIfNeeded: columns[7][Int(truncatingIfNeeded: index[7])]) } }

  /// Bytes of data.
  @inlinable public var dataCount: Int {
    @inline(__always) get {
      guard mask & 0x80 != 0 else { return 0 }
      return unsafe Int(truncatingIfNeeded: columns[7][Int(truncatingIfNeeded: index[7]) &+ 1]) &- dataStart
    }
  }

  /// The event's data, valid until the cursor moves.
  @inlinable public var data: RawSpan {
    @_lifetime(borrow self) get {
      let span = unsafe RawSpan(_unsafeStart: bytes + (mask & 0x80 != 0 ? dataStart : 0), byteCount: dataCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The event's data copied out.
  public var dataBytes: [UInt8] {
    guard dataCount > 0 else { return [] }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: bytes + dataStart, count: dataCount))
  }

  /// The whole event as a value. Allocates where there is data.
  public var event: Event {
    Event(kind, vcpu: vcpu, seq: seq, time: time, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: dataBytes)
  }
}
