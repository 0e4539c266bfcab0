import TraceEvents
import TraceFormat

/// Recordings of which only the tail is kept: in memory, and written at the end.
extension BlockSink {
  static func tail(
    _ last: TraceWriter.Tail, _ end: EndRoom, _ header: [UInt8], _ compressor: BlockCompressor, _ path: String
  ) throws(TraceFileError) -> FlightTail {
    let headerBlock = compressor.compress(header, headerPrologue).bytes.count
    let overhead = { (blocks: Int) in headerBlock + end.bytes(blocks: blocks) }
    guard case .bytes(let bytes) = last else { return FlightTail(last.limit, overhead: overhead) }
    guard bytes >= TraceWriter.Tail.leastBytes else {
      throw TraceFileError(
        .sizeCap, path: path, detail: "a tail of \(bytes) bytes is too small to keep; expected \(TraceWriter.Tail.leastBytes) or more")
    }
    return FlightTail(last.limit, overhead: overhead)
  }

  /// Takes in events, and lets go of what is beyond the limit.
  func keep(_ rows: EventRows) {
    if tail?.isKeyframeDue == true { tail?.beginStretch(keyframe: keyframe(of: state)) }
    tail?.append(compress(rows))
    state.fold(rows)
  }

  /// Writes what was kept, and the index. Where the disk has no room for all of it: the newest part that fits.
  ///
  /// Throws where there is not even room for the last event.
  func write(_ tail: FlightTail) throws(TraceFileError) {
    if try attempt(tail) { return }
    // Not every disk can set room aside, and others write to it too: what fits is found by trying.
    var (fits, tooMany, written) = (0, tail.eventBlockCount, 0)
    while fits + 1 < tooMany || written != fits {
      let count = fits + 1 < tooMany ? (fits + tooMany) / 2 : fits
      if try attempt(tail.newest(count) { keyframe(of: state(after: $0)) }) {
        (fits, written) = (count, count)
      } else {
        (fits, tooMany, written) = (fits < count ? fits : 0, count, 0)
      }
    }
    if written == 0 { try writePart(ofLastBlockOf: tail) }
  }

  /// Writes a header, these blocks and the index; false where there is no room.
  private func attempt(_ part: FlightTail) throws(TraceFileError) -> Bool {
    output.keepFirst(1)
    let dropped = part.dropped
    do throws(TraceFileError) {
      try write((dropped.events > 0 ? [loss(dropped)] : []) + part.blocks)
      try writeIndex()
    } catch {
      guard error.isDiskFull else { throw error }
      output.keepFirst(1)
      tailCut = error
      return false
    }
    droppedBefore = dropped.events
    return true
  }

  /// A block of one event, which says how many came before it.
  private func loss(_ dropped: (events: UInt64, until: UInt64)) -> FlightTail.Block {
    let rows = EventRows(capacity: 1, dataCapacity: TraceLimits.dataPerEvent)
    rows.firstSeq = dropped.events
    rows.append(
      Event(.eventsLost, vcpu: Event.host, seq: dropped.events, time: dropped.until, a: dropped.events, b: LossCause.flightRecorder.rawValue))
    return compress(rows)
  }

  /// Writes half of the last block's events, or half of that, and so on.
  private func writePart(ofLastBlockOf tail: FlightTail) throws(TraceFileError) {
    let (before, block) = tail.lastBlock ?? ([], ([], BlockPrologue(type: BlockType.events.rawValue)))
    let start = state(after: before)
    let events = decode(block)?.events ?? []
    var count = events.count / 2
    while count > 0 {
      let rows = EventRows(capacity: count, dataCapacity: TraceLimits.dataPerBlock)
      rows.firstSeq = events[events.count - count].seq
      for event in events.suffix(count) { rows.append(event) }
      var state = start
      if let batch = decode(block) { state.fold(batch, through: rows.firstSeq - 1) }
      if try attempt(tail.replaced(by: compress(rows), keyframe: keyframe(of: state))) { return }
      count /= 2
    }
    if let tailCut { throw tailCut }
  }

  // MARK: What the blocks let go of add up to

  /// The state after the first blocks of a stretch.
  private func state(after blocks: ArraySlice<FlightTail.Block>) -> MachineState {
    var state = MachineState(vcpuCount: vcpuCount)
    var parts: [[UInt8]] = []
    for block in blocks {
      if block.prologue.type == BlockType.keyframe.rawValue {
        parts.append(raw(block))
        if block.prologue.count == 0, let decoded = try? MachineState(keyframeParts: parts, vcpuCount: vcpuCount) { state = decoded }
      } else if let batch = decode(block) {
        state.fold(batch)
      }
    }
    return state
  }

  private func decode(_ block: FlightTail.Block) -> EventBatch? {
    let batch = EventBatch()
    let raw = raw(block)
    let decoded: Void? = unsafe raw.withUnsafeBytes { bytes in try? unsafe batch.decode(bytes, table, vcpuCount: vcpuCount) }
    return decoded == nil ? nil : batch
  }

  private func raw(_ block: FlightTail.Block) -> [UInt8] {
    // SAFETY: the frame is read inside the array, and the decompressed bytes are copied while the decompressor lives.
    unsafe block.bytes.withUnsafeBytes { bytes in
      let frame = unsafe UnsafeRawBufferPointer(rebasing: bytes[BlockPrologue.size...])
      let decompressor = BlockDecompressor()
      return unsafe (try? decompressor.decompress(frame, block.prologue)).map { unsafe Array($0) } ?? []
    }
  }
}
