public import TraceEvents

extension EventBatch {
  /// Fills the batch with an events block before compression, of either format version. On an error the batch is empty.
  public func decode(_ block: UnsafeRawBufferPointer, _ table: KindTable, vcpuCount: Int) throws(TraceFormatError) {
    count = 0
    if unsafe block.count >= 4 && block.u32(0) == LegacyEventLayout.magic {
      var decoder = try unsafe LegacyEventDecoder(block, table, vcpuCount: vcpuCount)
      return try decoder.decode(into: self)
    }
    var decoder = try unsafe EventDecoder(block, table, vcpuCount: vcpuCount)
    try decoder.decode(into: self)
  }

  /// A batch of hand-made events. Events with sequence number 0 get the next one; numbers must ascend by one and times must not fall.
  public convenience init(encoding events: [Event], header: TraceHeader) throws(TraceFormatError) {
    self.init()
    guard let first = events.first else { return }
    let table = KindTable(header)
    let rows = EventRows(capacity: max(events.count, 1), dataCapacity: TraceLimits.dataPerBlock)
    rows.firstSeq = max(first.seq, 1)
    for (index, event) in events.enumerated() {
      guard event.seq == 0 || event.seq == rows.firstSeq + UInt64(index) else {
        throw TraceFormatError(.inconsistent, at: index, expected: "sequence number \(rows.firstSeq + UInt64(index)), not \(event.seq)")
      }
      guard event.vcpu == Event.host || event.vcpu < TraceLimits.vcpus, table.listed[Int(event.kind.rawValue)] else {
        throw TraceFormatError(.outOfRange, at: index, expected: "a vCPU and a kind that the header lists")
      }
      guard rows.hasRoom(forData: event.data.count), event.data.count <= TraceLimits.dataPerEvent else {
        throw TraceFormatError(.outOfRange, at: index, expected: "at most \(TraceLimits.dataPerBlock) bytes of data")
      }
      rows.append(event)
    }
    let block = EventEncoder(table).encode(rows)
    let result: Result<Void, TraceFormatError> = unsafe block.withUnsafeBytes { bytes in
      do throws(TraceFormatError) { return .success(try unsafe decode(bytes, table, vcpuCount: header.vcpuCount)) } catch { return .failure(error) }
    }
    try result.get()
  }
}
