import TraceFormat

/// Where the blocks of a file are: from its index where that is there and right, else from a walk over the prologues.
struct FileMap {
  var blocks: [BlockIndex.Entry] = []
  /// The header block as the index repeats it.
  var header: [UInt8]?
  var hasIndex = false
  var damage: [DamageReport] = []

  init(_ input: TraceInput, _ decompressor: BlockDecompressor) {
    if let blocks = Self.blocksBySeekTable(input, decompressor, &header) {
      self.blocks = blocks
      hasIndex = true
      return
    }
    walk(input)
    useIndex(input, decompressor)
  }

  /// Frame number of a block's zstd frame.
  static func frame(ofBlock number: Int) -> Int { number * 2 + 1 }

  // MARK: By the seek table

  private static func blocksBySeekTable(_ input: TraceInput, _ decompressor: BlockDecompressor, _ header: inout [UInt8]?) -> [BlockIndex.Entry]? {
    let footerSize = UInt64(SeekTable.footerSize)
    guard input.size > footerSize, let size = SeekTable.size(footer: input.bytes(at: input.size - footerSize, count: SeekTable.footerSize)),
      UInt64(size) < input.size
    else { return nil }
    let end = input.size - UInt64(size)
    let table = input.bytes(at: end, count: size)
    guard let frames = SeekTable.frameSizes(table), frames.count >= 4, frames.count % 2 == 0 else { return nil }
    // The last blocks are the parts of the index.
    var at = end
    var parts: [(entry: BlockIndex.Entry, index: BlockIndex)] = []
    var next = frames.count
    while next >= 2 {
      let span = UInt64(frames[next - 1]) + UInt64(frames[next - 2])
      guard span <= at, let prologue = input.prologue(at: at - span), prologue.type == BlockType.index.rawValue,
        prologue.count == UInt32(parts.count)
      else { break }
      let entry = BlockIndex.Entry(offset: at - span, prologue: prologue)
      guard entry.size == span, let index = part(input, decompressor, entry) else { return nil }
      parts.insert((entry, index), at: 0)
      (at, next) = (entry.offset, next - 2)
    }
    guard let first = parts.first else { return nil }
    let index = BlockIndex(header: first.index.header, entries: parts.flatMap(\.index.entries))
    guard index.fills(upTo: at) else { return nil }
    header = index.header
    let blocks = index.entries + parts.map(\.entry)
    return SeekTable.isTable(table, of: blocks) ? blocks : nil
  }

  private static func part(_ input: TraceInput, _ decompressor: BlockDecompressor, _ entry: BlockIndex.Entry) -> BlockIndex? {
    // SAFETY: the decompressed bytes are copied before the next use of either buffer.
    let frame = unsafe input.read(at: entry.offset + UInt64(BlockPrologue.size), count: Int(entry.prologue.compressedSize))
    guard let raw = try? unsafe decompressor.decompress(frame, entry.prologue) else { return nil }
    return try? unsafe BlockIndex(decoding: Array(raw))
  }

  // MARK: By the prologues

  private mutating func walk(_ input: TraceInput) {
    var at: UInt64 = 0
    var ended = false
    while at < input.size {
      if let prologue = input.prologue(at: at) {
        let entry = BlockIndex.Entry(offset: at, prologue: prologue)
        guard entry.end <= input.size else {
          report(.cutShort, at, input.size, "a block of \(entry.size) bytes", missing: prologue.type == BlockType.events.rawValue ? prologue : nil)
          return
        }
        blocks.append(entry)
        at = entry.end
        continue
      }
      let table = SeekTable.encoded(blocks)
      let isTable = input.size - at >= UInt64(table.count) && input.bytes(at: at, count: table.count) == table
      if isTable && at + UInt64(table.count) == input.size { ended = true; break }
      let next = input.findPrologue(from: at + 1)
      let indexed = blocks.last?.prologue.type == BlockType.index.rawValue
      if next == nil, indexed || isTable {
        report(.seekTable, at, input.size, isTable ? "nothing after the seek table" : "the seek table of the \(blocks.count * 2) frames before it")
        return
      }
      let short = next == nil && input.size - at < UInt64(BlockPrologue.size)
      report(short ? .cutShort : .unreadable, at, next ?? input.size, "a block's prologue")
      guard let next else { return }
      at = next
    }
    if !ended { report(.unfinished, input.size, input.size, "an index and a seek table") }
  }

  private mutating func report(_ what: DamageReport.What, _ start: UInt64, _ end: UInt64, _ expected: String, missing: BlockPrologue? = nil) {
    let events = missing.map { $0.firstSeq..<$0.firstSeq + UInt64($0.count) }
    let frame = damage.isEmpty ? blocks.count * 2 : nil
    damage.append(DamageReport(what, offset: start, length: end - start, expected: expected, frame: frame, missing: events))
  }

  /// Where the walk met damage but the index survived, the index knows more: which events the damaged blocks held.
  private mutating func useIndex(_ input: TraceInput, _ decompressor: BlockDecompressor) {
    guard let last = blocks.last, last.prologue.type == BlockType.index.rawValue, last.prologue.count == 0 else { return }
    var parts: [BlockIndex.Entry] = []
    for block in blocks.reversed() 
    where block.prologue.type == BlockType.index.rawValue && block.prologue.count == UInt32(parts.count) { parts.insert(block, at: 0) }
    let decoded = parts.compactMap { Self.part(input, decompressor, $0) }
    guard decoded.count == parts.count else { return }
    let index = BlockIndex(header: decoded[0].header, entries: decoded.flatMap(\.entries))
    guard index.fills(upTo: parts[0].offset) else { return }
    header = index.header
    hasIndex = true
    blocks = index.entries + parts
    // What the walk could not read is reported again, with its events, when the blocks themselves are read.
    damage.removeAll { $0.what == .unreadable }
    // The walk counted too few frames to know the seek table.
    let table = SeekTable.encoded(blocks)
    if input.bytes(at: last.end, count: Int(input.size - last.end)) == table { damage.removeAll { $0.what == .seekTable } }
  }
}
