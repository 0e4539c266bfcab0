public import TraceEvents

extension EventBatch {
  /// Fills the batch with an events block before compression, of either format version. On an error the batch is empty.
  public func decode(_ block: UnsafeRawBufferPointer, _ table: KindTable, vcpuCount: Int) throws(TraceFormatError) {
    count = 0
    // SAFETY: the batch makes room for all of the caller's block, and what is read past it.
    self.block.reserve(block.count + EventLayout.readablePastEnd)
    if let base = block.baseAddress { unsafe UnsafeMutableRawPointer(self.block.base).copyMemory(from: base, byteCount: block.count) }
    try decodeOwn(block.count, table, vcpuCount: vcpuCount)
  }

  /// The same from the block's frame, which is checked first.
  @unsafe public func decode(
    _ frame: UnsafeRawBufferPointer, _ prologue: BlockPrologue, by decompressor: BlockDecompressor, _ table: KindTable, vcpuCount: Int
  ) throws(TraceFormatError) {
    count = 0
    let size = try unsafe decompressor.check(frame, prologue)
    block.reserve(size + EventLayout.readablePastEnd)
    try unsafe decompressor.decompress(frame, into: UnsafeMutableRawBufferPointer(start: block.base, count: size))
    try decodeOwn(size, table, vcpuCount: vcpuCount)
  }

  private func decodeOwn(_ size: Int, _ table: KindTable, vcpuCount: Int) throws(TraceFormatError) {
    // SAFETY: the batch's own buffer, which holds `size` bytes and is not replaced while it is decoded.
    let bytes = unsafe UnsafeRawBufferPointer(start: block.base, count: size)
    if unsafe bytes.count >= 4 && bytes.u32(0) == LegacyEventLayout.magic {
      var decoder = try unsafe LegacyEventDecoder(bytes, table, vcpuCount: vcpuCount)
      return try decoder.decode(into: self)
    }
    var decoder = try unsafe EventDecoder(bytes, table, vcpuCount: vcpuCount)
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
