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
    tail?.append(compress(rows))
    while tail?.isFirstBeyondLimit == true { letGo() }
  }

  private func letGo() {
    guard let block = tail?.removeFirst() else { return }
    if let batch = decode(block) { state.fold(batch) }
    if tail?.isMeasureDue == true { tail?.measure(keyframe: keyframe(of: state)) }
  }

  /// Writes what was kept, and the index. Where the disk has no room for all of it: the newest part that fits.
  ///
  /// Throws where there is not even room for the last event.
  func writeTail() throws(TraceFileError) {
    while let tail, tail.dropped.events > 0 {
      self.tail?.measure(keyframe: keyframe(of: state))
      guard self.tail?.isFirstBeyondLimit == true else { break }
      letGo()
    }
    guard let tail else { return }
    let start = state
    if try attempt(tail, from: start) { return }
    // Not every disk can set room aside, and others write to it too: what fits is found by trying.
    var (fits, tooMany, written) = (0, tail.blocks.count, 0)
    while fits + 1 < tooMany || written != fits {
      let count = fits + 1 < tooMany ? (fits + tooMany) / 2 : fits
      let later = state(after: tail.blocks.dropLast(count), start)
      if try attempt(tail.replaced(by: tail.blocks.suffix(count), keyframe: keyframe(of: later)), from: later) {
        (fits, written) = (count, count)
      } else {
        (fits, tooMany, written) = (fits < count ? fits : 0, count, 0)
      }
    }
    if written == 0 { try writePart(ofLastBlockOf: tail, start) }
  }

  /// Writes a header, these blocks with keyframes between them, and the index; false where there is no room. `start` is the state before the blocks.
  private func attempt(_ part: FlightTail, from start: MachineState) throws(TraceFileError) -> Bool {
    output.keepFirst(1)
    let dropped = part.dropped
    beginTail(part, from: start)
    do throws(TraceFileError) {
      if dropped.events > 0 { try write([loss(dropped)] + part.keyframe) }
      for block in part.blocks {
        guard let batch = decode(block) else { continue }
        try copy(block.bytes, block.prologue, decoded: batch)
      }
      try writeIndex()
    } catch {
      guard error.isDiskFull else { throw error }
      output.keepFirst(1)
      tailCut = error
      return false
    }
    (droppedBefore, startSize) = (dropped.events, part.keyframeSize)
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
  private func writePart(ofLastBlockOf tail: FlightTail, _ start: MachineState) throws(TraceFileError) {
    guard let batch = tail.blocks.last.flatMap(decode) else { return }
    let before = state(after: tail.blocks.dropLast(), start)
    let events = batch.events
    var count = events.count / 2
    while count > 0 {
      let rows = EventRows(capacity: count, dataCapacity: TraceLimits.dataPerBlock)
      rows.firstSeq = events[events.count - count].seq
      for event in events.suffix(count) { rows.append(event) }
      var state = before
      state.fold(batch, through: rows.firstSeq - 1)
      if try attempt(tail.replaced(by: [compress(rows)], keyframe: keyframe(of: state)), from: state) { return }
      count /= 2
    }
    if let tailCut { throw tailCut }
  }

  /// What these blocks add up to, after what came before them.
  private func state(after blocks: ArraySlice<FlightTail.Block>, _ start: MachineState) -> MachineState {
    var state = start
    for block in blocks {
      if let batch = decode(block) { state.fold(batch) }
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
