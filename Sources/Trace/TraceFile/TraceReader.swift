import TraceEvents
public import TraceFormat

/// Reads a trace file: from front to back with `nextBatch`, or from any event on after `seek`.
///
/// It reads whatever is there. What is damaged or missing is put in `damage` and passed over; only a file in which no header can be found
/// is refused. After all batches were read from the start, every byte of the file has been checked. Memory does not grow with the file,
/// but for 72 bytes a block.
@safe public final class TraceReader {
  public let header: TraceHeader
  /// Bytes of the file.
  public let size: UInt64
  /// All blocks, in file order.
  public let blocks: [BlockIndex.Entry]
  /// Whether the index is there: the recording was finished.
  public let hasIndex: Bool
  /// What was found to be damaged so far, by byte offset.
  public private(set) var damage: [DamageReport]
  /// Blocks of types that this version does not know.
  public let unknownBlocks: Int
  /// Whether a pass over the whole trace may read blocks on a second thread while it takes others. Who runs a pass on every CPU has no use for that.
  public var readsAhead = true

  let input: TraceInput
  let decompressor = BlockDecompressor()
  let table: KindTable
  /// Number of the next block to read.
  private var next = 0
  /// The number that the next event must have, where that is known.
  private var expectedSeq: UInt64? = 1

  /// Opens the file; `-` is standard input.
  public init(path: String) throws(TraceFileError) {
    input = try TraceInput(path: path)
    size = input.size
    let map = FileMap(input, decompressor)
    blocks = map.blocks
    hasIndex = map.hasIndex
    damage = map.damage
    unknownBlocks = blocks.count { BlockType(rawValue: $0.prologue.type) == nil }
    header = try Self.findHeader(map, input, decompressor)
    table = KindTable(header)
  }

  private static func findHeader(_ map: FileMap, _ input: TraceInput, _ decompressor: BlockDecompressor) throws(TraceFileError) -> TraceHeader {
    var reason = map.blocks.isEmpty ? "not a trace: no block can be found in it" : "no header block can be read"
    var candidates: [() -> [UInt8]?] = map.blocks.filter { $0.prologue.type == BlockType.header.rawValue }.map { block in
      { unsafe Self.raw(block, input, decompressor).flatMap { unsafe Array($0) } }
    }
    candidates.append { map.header }
    for candidate in candidates {
      guard let bytes = candidate() else { continue }
      do throws(TraceFormatError) { return try TraceHeader(decoding: bytes) } catch {
        if error.code == .unsupported {
          throw TraceFileError(.unsupported, path: input.path, offset: UInt64(error.offset), detail: "expected \(error.expected)")
        }
        reason = "header block: \(error)"
      }
    }
    throw TraceFileError(.notATrace, path: input.path, offset: 0, detail: reason)
  }

  /// A block before compression, or nil; valid until the next one is read.
  @unsafe private static func raw(_ block: BlockIndex.Entry, _ input: TraceInput, _ decompressor: BlockDecompressor) -> UnsafeRawBufferPointer? {
    let frame = unsafe input.read(at: block.offset + UInt64(BlockPrologue.size), count: Int(block.prologue.compressedSize))
    return try? unsafe decompressor.decompress(frame, block.prologue)
  }

  /// Events of all events blocks together, damaged ones included.
  public var eventCount: UInt64 { blocks.reduce(0) { $0 + ($1.prologue.type == BlockType.events.rawValue ? UInt64($1.prologue.count) : 0) } }

  /// Events known to be missing, from what was read so far.
  public var lostEvents: UInt64 { damage.reduce(0) { $0 + UInt64($1.missing?.count ?? 0) } }

  /// Whether the recording was finished: it has its index, and its last event is the session's end. Reads the last block.
  public lazy var isComplete: Bool = {
    guard hasIndex, let last = blocks.lastIndex(where: { $0.prologue.type == BlockType.events.rawValue }) else { return false }
    let batch = EventBatch()
    guard read(last, into: batch) == nil else { return false }
    return batch.withCursor { cursor in
      var kind: EventKind?
      while cursor.next() { kind = cursor.kind }
      return kind == .sessionEnd
    }
  }()

  // MARK: Reading

  /// Decodes the next readable events block; false at the end. Damage is reported and passed over.
  public func nextBatch(into batch: EventBatch) -> Bool { nextBlock(into: batch) != nil }

  /// The same, and which block it was.
  func nextBlock(into batch: EventBatch) -> BlockIndex.Entry? {
    while next < blocks.count {
      let number = next
      next += 1
      let block = blocks[number]
      let error = read(number, into: batch)
      guard block.prologue.type == BlockType.events.rawValue else {
        if let error { report(number, error, missing: nil) }
        continue
      }
      let events = block.prologue.firstSeq..<block.prologue.firstSeq + UInt64(block.prologue.count)
      if let expectedSeq, events.lowerBound < expectedSeq {
        report(DamageReport(.order, offset: block.offset, length: block.size, expected: "event \(expectedSeq)", frame: FileMap.frame(ofBlock: number)))
        continue
      }
      // The end of a longer recording says itself how many came before.
      if expectedSeq != 1 || error != nil || !batch.beginsTail { noteGap(before: events.lowerBound, block: number) }
      expectedSeq = events.upperBound
      guard let error else { return block }
      report(number, error, missing: events)
    }
    return nil
  }

  /// Reads a block and says what is wrong with it. Blocks that hold no events are only checked.
  func read(_ number: Int, into batch: EventBatch) -> TraceFormatError? {
    let block = blocks[number]
    let span = unsafe input.read(at: block.offset, count: Int(block.size))
    // SAFETY: the span is used up before the input is read again; offsets are under its count.
    do throws(TraceFormatError) {
      let prologue = try unsafe BlockPrologue(decoding: span)
      guard prologue == block.prologue else { throw TraceFormatError(.inconsistent, at: 0, expected: "the prologue that the index names") }
      guard span.count == Int(block.size) else { throw TraceFormatError(.truncated, at: span.count, expected: "\(block.size) bytes") }
      let frame = unsafe UnsafeRawBufferPointer(rebasing: span[BlockPrologue.size...])
      guard prologue.type == BlockType.events.rawValue else {
        guard unsafe CRC32C.checksum(frame) == prologue.checksum else { throw TraceFormatError(.badChecksum, at: 64, expected: "the frame's checksum") }
        return nil
      }
      try unsafe batch.decode(frame, prologue, by: decompressor, table, vcpuCount: header.vcpuCount)
      guard batch.firstSeq == prologue.firstSeq, batch.count == prologue.count, batch.timeRange == prologue.firstTime...prologue.lastTime else {
        throw TraceFormatError(.inconsistent, at: 28, expected: "the events that the prologue names")
      }
      return nil
    } catch { return error }
  }

  private func noteGap(before seq: UInt64, block number: Int) {
    guard let expectedSeq, seq > expectedSeq else { return }
    let start = number == 0 ? 0 : blocks[number - 1].end
    // The gap belongs to the unreadable bytes before this block, where there are any.
    let isBefore = { (place: DamageReport) in place.offset >= start && place.offset + place.length <= self.blocks[number].offset }
    if let index = damage.lastIndex(where: { $0.what == .unreadable && $0.missing == nil && isBefore($0) }) {
      damage[index].missing = expectedSeq..<seq
      return
    }
    report(
      DamageReport(
        .gap, offset: blocks[number].offset, length: 0, expected: "event \(expectedSeq), not \(seq)", frame: FileMap.frame(ofBlock: number),
        missing: expectedSeq..<seq))
  }

  func report(_ number: Int, _ error: TraceFormatError, missing: Range<UInt64>?) {
    let block = blocks[number]
    let inPrologue = error.offset < BlockPrologue.size && (error.code == .badMagic || error.code == .badChecksum)
    report(
      DamageReport(
        .block, offset: block.offset, length: block.size, expected: error.expected, frame: FileMap.frame(ofBlock: number) - (inPrologue ? 1 : 0),
        missing: missing))
  }

  private func report(_ report: DamageReport) {
    guard !damage.contains(where: { $0.offset == report.offset && $0.what == report.what }) else { return }
    damage.append(report)
    damage.sort { $0.offset < $1.offset }
  }

  /// Whether `path` names the very file that is read: it must not be written.
  public func isSameFile(as path: String) -> Bool { input.isSameFile(as: path) }

  // MARK: Random access

  /// Goes back to the start.
  public func rewind() {
    next = 0
    expectedSeq = 1
  }

  /// The next batch will be the first one that holds event `seq` or a later one.
  public func seek(toSeq seq: UInt64) {
    seek { $0.firstSeq + UInt64($0.count) > seq }
  }

  /// The next batch will be the first one that holds an event at `time` or later.
  public func seek(toTime time: UInt64) {
    seek { $0.lastTime >= time }
  }

  private func seek(_ reached: (BlockPrologue) -> Bool) {
    next = blocks.firstIndex { $0.prologue.type == BlockType.events.rawValue && reached($0.prologue) } ?? blocks.count
    expectedSeq = nil
  }
}
