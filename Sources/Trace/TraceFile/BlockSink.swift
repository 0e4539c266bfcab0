import TraceEvents
import TraceFormat

/// Encodes, compresses and writes: what the writer's thread does with full buffers.
final class BlockSink {
  let output: TraceOutput
  private let header: [UInt8]
  let table: KindTable
  let vcpuCount: Int
  let encoder: EventEncoder
  let compressor: BlockCompressor
  /// What all events written so far add up to, for keyframes; of a tail those that were let go of.
  var state: MachineState
  private let keyframeInterval: Int
  private var eventsSinceKeyframe = 0
  private var bytesSinceKeyframe = 0
  private var keyframeSize = 0

  let end: EndRoom
  let cap: SizeCap?
  /// Where only the tail of the recording is kept: nothing but the header is written before the end.
  var tail: FlightTail?
  /// Events that were let go of before the first one in the file, and bytes of the keyframe that stands for them.
  var droppedBefore: UInt64 = 0
  var startSize = 0
  /// Bytes that keyframes may take besides the tail's first one.
  private var spare = Int.max
  /// Why less of the tail is in the file than was to be kept; nil where all of it is.
  var tailCut: TraceFileError?

  init(path: String, header: TraceHeader, options: TraceWriter.Options) throws(TraceFileError) {
    self.header = header.encoded
    compressor = BlockCompressor(level: options.level)
    let end = EndRoom(headerSize: self.header.count)
    self.end = end
    cap = options.maxSize.map { SizeCap(bytes: $0, end: end) }
    // Before the file is created, or one that is there is overwritten.
    if let cap { try cap.check(headerBlock: compressor.compress(self.header, Self.headerPrologue).bytes.count, path) }
    if let last = options.last { tail = try Self.tail(last, end, self.header, compressor, path) }
    output = try TraceOutput(path: path, force: options.force, seam: options.seam)
    table = KindTable(header)
    vcpuCount = header.vcpuCount
    encoder = EventEncoder(table)
    state = MachineState(vcpuCount: header.vcpuCount)
    keyframeInterval = options.keyframeInterval
  }

  static let headerPrologue = BlockPrologue(type: BlockType.header.rawValue)

  func writeHeader() throws(TraceFileError) { try write([compressor.compress(header, Self.headerPrologue)]) }

  var size: UInt64 { output.offset + UInt64(tail?.size ?? 0) }
  var eventCount: UInt64 { output.eventCount }

  /// Number of the last event that was written or kept.
  private var lastSeq: UInt64 { tail?.lastEvent.seq ?? output.lastEvent.seq }

  /// Number of the next event to be written.
  var nextSeq: UInt64 { lastSeq + 1 }

  /// Writes blocks that leave room for the end of the file, or throws: a disk that is full is noticed while there still is some.
  func write(_ blocks: [(bytes: [UInt8], prologue: BlockPrologue)]) throws(TraceFileError) {
    try output.reserve(blocks.reduce(0) { $0 + $1.bytes.count } + end.bytes(blocks: output.blocks.count + blocks.count))
    for block in blocks { try output.write(block: block.bytes, block.prologue) }
  }

  /// Writes an events block, and a keyframe before it where one is due. Under a size cap it writes those first events of it that leave room for an
  /// orderly end, and throws `sizeCap` if that is not all of them.
  func write(_ rows: EventRows) throws(TraceFileError) {
    if tail != nil { return keep(rows) }
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

  func compress(_ rows: EventRows) -> (bytes: [UInt8], prologue: BlockPrologue) {
    let times = rows.times
    return compressor.compress(
      encoder.encode(rows),
      BlockPrologue(
        type: BlockType.events.rawValue, count: UInt32(rows.count), firstSeq: rows.firstSeq, firstTime: times.lowerBound, lastTime: times.upperBound),
      cuts: encoder.cuts)
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

  /// Goes on from this state, and writes it down.
  func adopt(_ state: MachineState) throws(TraceFileError) {
    self.state = state
    try write(keyframe(of: state))
  }

  /// Goes on from the state before a tail.
  func beginTail(_ tail: FlightTail, from start: MachineState) {
    state = start
    (eventsSinceKeyframe, bytesSinceKeyframe, keyframeSize, spare) = (0, 0, tail.keyframeSize, tail.spare)
  }

  private func count(events: Int, bytes: Int) {
    eventsSinceKeyframe += events
    bytesSinceKeyframe += bytes
  }

  /// Often enough that no state is far from one, seldom enough that keyframes stay under a tenth of the file.
  private func writeKeyframeIfDue() throws(TraceFileError) {
    guard eventsSinceKeyframe >= keyframeInterval, bytesSinceKeyframe >= keyframeSize * 12 else { return }
    let blocks = keyframe(of: state)
    keyframeSize = blocks.reduce(0) { $0 + $1.bytes.count }
    // It only repeats what the events say: near a cap the room is theirs.
    let written = output.blocks.count
    let listed = end.bytes(blocks: written + blocks.count) - end.bytes(blocks: written)
    if keyframeSize <= room(blocks: blocks.count), keyframeSize + listed <= spare {
      try write(blocks)
      if spare < .max { spare -= keyframeSize + listed }
    }
    (eventsSinceKeyframe, bytesSinceKeyframe) = (0, 0)
  }

  func keyframe(of state: MachineState) -> [(bytes: [UInt8], prologue: BlockPrologue)] {
    let parts = state.keyframeParts
    return parts.enumerated().map { number, part in
      compressor.compress(
        part,
        BlockPrologue(
          type: BlockType.keyframe.rawValue, count: UInt32(parts.count - 1 - number), firstSeq: state.seq, firstTime: state.time, lastTime: state.time))
    }
  }

  // MARK: The end

  /// Writes index and seek table, and closes. A file without them is still read, by its prologues.
  func finish() throws(TraceFileError) {
    if tail != nil {
      try writeTail()
      self.tail = nil
    } else {
      try writeIndex()
    }
    try output.finish()
  }

  func writeIndex() throws(TraceFileError) {
    let parts = BlockIndex(header: header, entries: output.blocks).parts
    for (index, part) in parts.enumerated() {
      let block = compressor.compress(part, BlockPrologue(type: BlockType.index.rawValue, count: UInt32(parts.count - 1 - index)))
      try output.write(block: block.bytes, block.prologue)
    }
    try output.write(SeekTable.encoded(output.blocks))
  }

  /// Ends a file that can take no more: with a session-end event in the room that was kept for it, numbered after the last event written, then as
  /// above. The file then says truly that nothing is missing before its end. Where no room could be kept, the last events make some.
  ///
  /// `dropped` events came too late to be written; returns how many more were given up for the end. Where `replacesEnd`, the last event of all is a
  /// session's end: this one stands for it, and it is not missing.
  func finish(endingFor error: TraceFileError, _ reason: EndReason, dropped: UInt64, replacesEnd: Bool) throws(TraceFileError) -> UInt64 {
    let last = lastSeq
    // It found no room at all.
    tail = nil
    while true {
      let blocks = output.blocks.count
      let givenUp = last - output.lastEvent.seq
      let missing = dropped + givenUp
      do throws(TraceFileError) {
        try writeEnd(reason, error.reason(dropped: missing - (replacesEnd ? min(missing, 1) : 0)))
        try finish()
        return givenUp
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
