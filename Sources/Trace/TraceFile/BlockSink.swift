import TraceEvents
import TraceFormat

/// Encodes, compresses and writes: what the writer's thread does with full buffers.
final class BlockSink {
  let output: TraceOutput
  private let header: [UInt8]
  private let encoder: EventEncoder
  private let compressor: BlockCompressor
  /// What all events written so far add up to, for keyframes.
  private var state: MachineState
  private let keyframeInterval: Int
  private var eventsSinceKeyframe = 0
  private var bytesSinceKeyframe = 0
  private var keyframeSize = 0

  private let end: EndRoom
  private let cap: SizeCap?

  init(path: String, header: TraceHeader, options: TraceWriter.Options) throws(TraceFileError) {
    self.header = header.encoded
    compressor = BlockCompressor(level: options.level)
    let end = EndRoom(headerSize: self.header.count)
    self.end = end
    cap = options.maxSize.map { SizeCap(bytes: $0, end: end) }
    // Before the file is created, or one that is there is overwritten.
    if let cap { try cap.check(headerBlock: compressor.compress(self.header, Self.headerPrologue).bytes.count, path) }
    output = try TraceOutput(path: path, force: options.force, seam: options.seam)
    encoder = EventEncoder(KindTable(header))
    state = MachineState(vcpuCount: header.vcpuCount)
    keyframeInterval = options.keyframeInterval
  }

  private static let headerPrologue = BlockPrologue(type: BlockType.header.rawValue)

  func writeHeader() throws(TraceFileError) { try write([compressor.compress(header, Self.headerPrologue)]) }

  var size: UInt64 { output.offset }
  var eventCount: UInt64 { output.eventCount }

  /// Number of the next event to be written.
  var nextSeq: UInt64 { output.lastEvent.seq + 1 }

  /// Writes blocks that leave room for the end of the file, or throws: a disk that is full is noticed while there still is some.
  private func write(_ blocks: [(bytes: [UInt8], prologue: BlockPrologue)]) throws(TraceFileError) {
    try output.reserve(blocks.reduce(0) { $0 + $1.bytes.count } + end.bytes(blocks: output.blocks.count + blocks.count))
    for block in blocks { try output.write(block: block.bytes, block.prologue) }
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
        try write([block])
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

  /// Writes an events block that is encoded already, and decoded in `batch`.
  func copy(_ block: [UInt8], _ prologue: BlockPrologue, decoded batch: EventBatch) throws(TraceFileError) {
    try writeKeyframeIfDue()
    try write([(block, prologue)])
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
      try write(blocks)
    }
    (eventsSinceKeyframe, bytesSinceKeyframe) = (0, 0)
  }

  /// Writes index and seek table, and closes. A file without them is still read, by its prologues.
  func finish() throws(TraceFileError) {
    let parts = BlockIndex(header: header, entries: output.blocks).parts
    for (index, part) in parts.enumerated() {
      let block = compressor.compress(part, BlockPrologue(type: BlockType.index.rawValue, count: UInt32(parts.count - 1 - index)))
      try output.write(block: block.bytes, block.prologue)
    }
    try output.write(SeekTable.encoded(output.blocks))
    try output.finish()
  }

  /// Ends a file that can take no more: with a session-end event in the room that was kept for it, numbered after the last event written, then as
  /// above. The file then says truly that nothing is missing before its end. Where no room could be kept, the last events make some.
  ///
  /// `dropped` events came too late to be written; returns how many more were given up for the end.
  func finish(endingFor error: TraceFileError, _ reason: EndReason, dropped: UInt64) throws(TraceFileError) -> UInt64 {
    let written = nextSeq
    while true {
      let blocks = output.blocks.count
      do throws(TraceFileError) {
        try writeEnd(reason, error.reason(dropped: dropped + written - nextSeq))
        try finish()
        return written - min(written, output.lastEvent.seq)
      } catch {
        // The header stays.
        guard error.isDiskFull, blocks > 1 else { throw error }
        output.keepFirst(blocks - 1)
      }
    }
  }

  private func writeEnd(_ reason: EndReason, _ text: String) throws(TraceFileError) {
    let last = output.lastEvent
    let rows = EventRows(capacity: 1, dataCapacity: TraceLimits.dataPerEvent)
    rows.firstSeq = last.seq + 1
    rows.append(Event(.sessionEnd, vcpu: Event.host, seq: last.seq + 1, time: last.time, a: reason.rawValue, data: Array(text.utf8)))
    let block = compress(rows)
    try output.write(block: block.bytes, block.prologue)
  }
}
