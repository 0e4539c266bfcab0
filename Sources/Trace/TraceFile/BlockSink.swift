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

  init(path: String, header: TraceHeader, options: TraceWriter.Options) throws(TraceFileError) {
    output = try TraceOutput(path: path, force: options.force, maxSize: options.maxSize)
    self.header = header.encoded
    encoder = EventEncoder(KindTable(header))
    compressor = BlockCompressor(level: options.level)
    state = MachineState(vcpuCount: header.vcpuCount)
    keyframeInterval = options.keyframeInterval
  }

  func writeHeader() throws(TraceFileError) { try write(header, BlockPrologue(type: BlockType.header.rawValue)) }

  var size: UInt64 { output.offset }

  @discardableResult private func write(_ raw: [UInt8], _ prologue: BlockPrologue) throws(TraceFileError) -> Int {
    let block = compressor.compress(raw, prologue)
    try output.write(block: block.bytes, block.prologue)
    return block.bytes.count
  }

  /// Writes an events block, and a keyframe before it where one is due.
  func write(_ rows: EventRows) throws(TraceFileError) {
    try writeKeyframeIfDue()
    let times = rows.times
    let size = try write(
      encoder.encode(rows),
      BlockPrologue(
        type: BlockType.events.rawValue, count: UInt32(rows.count), firstSeq: rows.firstSeq, firstTime: times.lowerBound, lastTime: times.upperBound))
    state.fold(rows)
    count(events: rows.count, bytes: size)
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
    keyframeSize = 0
    for (number, part) in parts.enumerated() {
      keyframeSize += try write(
        part,
        BlockPrologue(
          type: BlockType.keyframe.rawValue, count: UInt32(parts.count - 1 - number), firstSeq: state.seq, firstTime: state.time, lastTime: state.time))
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
