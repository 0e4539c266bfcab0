import TraceEvents
import TraceFormat

/// Encodes, compresses and writes: what the writer's thread does with full buffers.
final class BlockSink {
  private let output: TraceOutput
  private let header: [UInt8]
  private let encoder: EventEncoder
  private let compressor: BlockCompressor
  /// What all events written so far add up to, for keyframes.
  private var state: MachineState
  private let keyframeInterval: Int
  private var eventsSinceKeyframe = 0
  private var bytesSinceKeyframe = 0
  private var keyframeSize = 0

  private let cap: SizeCap?

  init(path: String, header: TraceHeader, options: TraceWriter.Options) throws(TraceFileError) {
    self.header = header.encoded
    compressor = BlockCompressor(level: options.level)
    cap = options.maxSize.map { SizeCap(bytes: $0, headerSize: header.encoded.count) }
    // Before the file is created, or one that is there is overwritten.
    if let cap { try cap.check(headerBlock: compressor.compress(self.header, Self.headerPrologue).bytes.count, path) }
    output = try TraceOutput(path: path, force: options.force)
    encoder = EventEncoder(KindTable(header))
    state = MachineState(vcpuCount: header.vcpuCount)
    keyframeInterval = options.keyframeInterval
  }

  private static let headerPrologue = BlockPrologue(type: BlockType.header.rawValue)

  func writeHeader() throws(TraceFileError) { try write(header, Self.headerPrologue) }

  var size: UInt64 { output.offset }

  /// Number of the next event to be written.
  var nextSeq: UInt64 { state.seq + 1 }

  private func write(_ raw: [UInt8], _ prologue: BlockPrologue) throws(TraceFileError) {
    let block = compressor.compress(raw, prologue)
    try output.write(block: block.bytes, block.prologue)
  }

  /// Writes an events block, and a keyframe before it where one is due. Under a size cap it writes those first events of it that leave room for an
  /// orderly end, and throws `sizeCap` if that is not all of them.
  func write(_ rows: EventRows) throws(TraceFileError) {
    try writeKeyframeIfDue()
    let all = rows.count
    while rows.count > 0 {
      let block = compress(rows)
      let room = roomForBlock
      if block.bytes.count <= room {
        try output.write(block: block.bytes, block.prologue)
        state.fold(rows)
        count(events: rows.count, bytes: block.bytes.count)
        break
      }
      // Events of a block are much of a size: the share that fits is a good guess, and each guess is smaller than the one before.
      rows.keepFirst(min(rows.count - 1, rows.count * room / block.bytes.count))
    }
    if rows.count < all, let cap { throw cap.error(output.path, at: output.offset) }
  }

  private func compress(_ rows: EventRows) -> (bytes: [UInt8], prologue: BlockPrologue) {
    let times = rows.times
    return compressor.compress(
      encoder.encode(rows),
      BlockPrologue(
        type: BlockType.events.rawValue, count: UInt32(rows.count), firstSeq: rows.firstSeq, firstTime: times.lowerBound, lastTime: times.upperBound))
  }

  /// Bytes that the next block, or several written at once, may take.
  private var roomForBlock: Int { room(blocks: 1) }

  private func room(blocks: Int) -> Int { cap?.room(at: output.offset, blocks: output.blocks.count + blocks) ?? .max }

  /// Ends a file that has reached its cap: a session-end event in the room that was kept for it, numbered after the last event written. The file
  /// then says truly that nothing is missing before its end; `dropped` is what came after.
  func writeCapEnd(dropped: UInt64) throws(TraceFileError) {
    guard let cap else { return }
    let text = "the cap of \(cap.bytes) bytes is reached" + (dropped == 0 ? "" : ", later events not recorded: \(dropped)")
    let rows = EventRows(capacity: 1, dataCapacity: TraceLimits.dataPerEvent)
    rows.firstSeq = nextSeq
    rows.append(Event(.sessionEnd, vcpu: Event.host, seq: nextSeq, time: state.time, a: EndReason.sizeCap.rawValue, data: Array(text.utf8)))
    let block = compress(rows)
    try output.write(block: block.bytes, block.prologue)
    state.fold(rows)
  }

  /// Writes an events block that is encoded already, and decoded in `batch`.
  func copy(_ block: [UInt8], _ prologue: BlockPrologue, decoded batch: EventBatch) throws(TraceFileError) {
    try writeKeyframeIfDue()
    try output.write(block: block, prologue)
    state.fold(batch)
    count(events: batch.count, bytes: block.count)
  }

  private func count(events: Int, bytes: Int) {
    eventsSinceKeyframe += events
    bytesSinceKeyframe += bytes
  }

  /// Often enough that no state is far from one, seldom enough that keyframes stay under a tenth of the file.
  private func writeKeyframeIfDue() throws(TraceFileError) {
    guard eventsSinceKeyframe >= keyframeInterval, bytesSinceKeyframe >= keyframeSize * 12 else { return }
    let parts = state.keyframeParts
    let blocks = parts.enumerated().map { number, part in
      compressor.compress(
        part,
        BlockPrologue(
          type: BlockType.keyframe.rawValue, count: UInt32(parts.count - 1 - number), firstSeq: state.seq, firstTime: state.time, lastTime: state.time))
    }
    keyframeSize = blocks.reduce(0) { $0 + $1.bytes.count }
    // It only repeats what the events say: near a cap the room is theirs.
    if keyframeSize <= room(blocks: blocks.count) {
      for block in blocks { try output.write(block: block.bytes, block.prologue) }
    }
    (eventsSinceKeyframe, bytesSinceKeyframe) = (0, 0)
  }

  /// Writes index and seek table, and closes. A file without them is still read, by its prologues.
  func finish() throws(TraceFileError) {
    let parts = BlockIndex(header: header, entries: output.blocks).parts
    for (index, part) in parts.enumerated() {
      try write(part, BlockPrologue(type: BlockType.index.rawValue, count: UInt32(parts.count - 1 - index)))
    }
    try output.write(SeekTable.encoded(output.blocks))
    try output.finish()
  }
}
