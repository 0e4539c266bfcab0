public import TraceEvents

/// An event as the recorder's threads leave it: one row of fixed size, its data in the buffer beside.
@usableFromInline @frozen struct EventRow {
  @usableFromInline var time: UInt64
  @usableFromInline var gpa: UInt64
  @usableFromInline var rip: UInt64
  @usableFromInline var cause: UInt64
  @usableFromInline var a: UInt64
  @usableFromInline var b: UInt64
  @usableFromInline var c: UInt64
  @usableFromInline var d: UInt64
  @usableFromInline var dataOffset: UInt32
  @usableFromInline var vcpu: UInt16
  @usableFromInline var kind: UInt8

  @inlinable init(
    time: UInt64, gpa: UInt64, rip: UInt64, cause: UInt64, a: UInt64, b: UInt64, c: UInt64, d: UInt64, dataOffset: UInt32, vcpu: UInt16, kind: UInt8
  ) {
    self.time = time
    self.gpa = gpa
    self.rip = rip
    self.cause = cause
    self.a = a
    self.b = b
    self.c = c
    self.d = d
    self.dataOffset = dataOffset
    self.vcpu = vcpu
    self.kind = kind
  }
}

/// A buffer of consecutive events before they are encoded. Appending is a few stores; all the work is in `EventEncoder`.
@safe public final class EventRows {
  public let capacity: Int
  public let dataCapacity: Int
  /// Sequence number of the first row.
  public var firstSeq: UInt64 = 1
  public private(set) var count = 0
  public private(set) var dataCount = 0
  let rows: UnsafeMutablePointer<EventRow>
  let data: UnsafeMutableRawPointer

  /// `dataCapacity` must hold at least the longest data of one event.
  public init(capacity: Int, dataCapacity: Int) {
    precondition(capacity > 0 && capacity <= TraceLimits.eventsPerBlock, "block capacity")
    precondition(dataCapacity >= TraceLimits.dataPerEvent && dataCapacity <= TraceLimits.dataPerBlock, "data capacity")
    self.capacity = capacity
    self.dataCapacity = dataCapacity
    unsafe rows = .allocate(capacity: capacity)
    unsafe data = .allocate(byteCount: dataCapacity, alignment: 8)
  }

  deinit {
    unsafe rows.deallocate()
    unsafe data.deallocate()
  }

  /// Whether one more event with this much data fits.
  public func hasRoom(forData count: Int) -> Bool { self.count < capacity && dataCount + count <= dataCapacity }

  /// Time of the first and of the last row; both 0 where there is none.
  public var times: ClosedRange<UInt64> {
    // SAFETY: rows below `count` are initialized.
    guard count > 0 else { return 0...0 }
    return unsafe rows[0].time...rows[count - 1].time
  }

  public func removeAll() {
    count = 0
    dataCount = 0
  }

  /// Drops all but the first rows.
  public func keepFirst(_ kept: Int) {
    guard kept < count else { return }
    dataCount = kept > 0 ? dataRange(kept - 1).upperBound : 0
    count = kept
  }

  /// Appends an event; its sequence number is `firstSeq` plus the rows before it. Times must not fall.
  public func append(
    _ kind: EventKind, vcpu: UInt16, time: UInt64, gpa: UInt64, rip: UInt64, cause: UInt64, a: UInt64, b: UInt64, c: UInt64, d: UInt64,
    data: UnsafeRawBufferPointer
  ) {
    precondition(hasRoom(forData: data.count), "no room in the block")
    // SAFETY: the precondition keeps both writes inside the two buffers.
    unsafe (rows + count).initialize(
      to: EventRow(
        time: time, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, dataOffset: UInt32(truncatingIfNeeded: dataCount), vcpu: vcpu,
        kind: kind.rawValue))
    if let base = data.baseAddress, unsafe !data.isEmpty {
      unsafe (self.data + dataCount).copyMemory(from: base, byteCount: data.count)
      dataCount += data.count
    }
    count += 1
  }

  public func append(_ event: Event) {
    unsafe event.data.withUnsafeBytes { bytes in
      unsafe append(
        event.kind, vcpu: event.vcpu, time: event.time, gpa: event.gpa, rip: event.rip, cause: event.cause, a: event.a, b: event.b, c: event.c,
        d: event.d, data: bytes)
    }
  }

  /// Bytes of data of a row.
  func dataRange(_ row: Int) -> Range<Int> {
    // SAFETY: rows below `count` are initialized.
    let start = unsafe Int(rows[row].dataOffset)
    return unsafe start..<(row + 1 < count ? Int(rows[row + 1].dataOffset) : dataCount)
  }

  /// Two bytes of the data, as a number.
  func dataField(_ offset: Int) -> UInt16 {
    // SAFETY: callers stay inside a row's data.
    unsafe UInt16(littleEndian: data.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }
}
