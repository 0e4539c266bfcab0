/// Where every block is: the last block of a finished trace, with the header repeated in case the first block is damaged.
public struct BlockIndex: Hashable, Sendable {
  public struct Entry: Hashable, Sendable {
    /// Byte offset of the prologue in the file.
    public var offset: UInt64
    public var prologue: BlockPrologue

    public init(offset: UInt64, prologue: BlockPrologue) {
      self.offset = offset
      self.prologue = prologue
    }

    /// Bytes of prologue and frame together.
    public var size: UInt64 { UInt64(BlockPrologue.size) + UInt64(prologue.compressedSize) }
    public var end: UInt64 { offset + size }
  }

  static let magic: UInt32 = 0x5849_5450  // "PTIX"
  static let entrySize = 56
  /// Entries in one index block; more go into further ones.
  static let entriesPerPart = 100_000

  /// The trace's header block as recorded.
  public var header: [UInt8]
  /// Every block before the index, in file order.
  public var entries: [Entry]

  public init(header: [UInt8], entries: [Entry]) {
    self.header = header
    self.entries = entries
  }

  /// Bytes of each index block before compression, for a header block and this many entries.
  public static func partSizes(headerSize: Int, entries: Int) -> [Int] {
    stride(from: 0, to: max(entries, 1), by: entriesPerPart).map { 12 + headerSize + min(entriesPerPart, entries - $0) * entrySize }
  }

  /// The index blocks before compression. `BlockPrologue.count` of each is the number of parts after it.
  public var parts: [[UInt8]] {
    let starts = stride(from: 0, to: max(entries.count, 1), by: Self.entriesPerPart)
    return starts.map { start in
      let part = entries[start..<min(start + Self.entriesPerPart, entries.count)]
      var out: [UInt8] = []
      out.append(integer: Self.magic)
      out.append(integer: UInt32(header.count))
      out.append(contentsOf: header)
      out.append(integer: UInt32(part.count))
      for entry in part {
        let prologue = entry.prologue
        out.append(integer: entry.offset)
        out.append(prologue.type)
        out.append(contentsOf: [0, 0, 0])
        for value in [prologue.compressedSize, prologue.rawSize, prologue.count] { out.append(integer: value) }
        for value in [prologue.firstSeq, prologue.firstTime, prologue.lastTime] { out.append(integer: value) }
        out.append(integer: prologue.checksum)
        out.append(integer: 0 as UInt32)
      }
      return out
    }
  }

  /// Decodes one part.
  public init(decoding bytes: [UInt8]) throws(TraceFormatError) {
    var reader = ByteReader(bytes)
    try reader.expect(magic: Self.magic)
    let size = try reader.count(limit: TraceLimits.rawBlockSize, each: 1, of: "bytes of header")
    self.init(header: try reader.take(size), entries: [])
    let count = try reader.count(limit: TraceLimits.rawBlockSize, each: Self.entrySize, of: "index entries")
    entries.reserveCapacity(count)
    for _ in 0..<count {
      let offset = try reader.integer(UInt64.self)
      let type = UInt8(truncatingIfNeeded: try reader.integer(UInt32.self))
      let prologue = BlockPrologue(
        type: type, compressedSize: try reader.integer(), rawSize: try reader.integer(), count: try reader.integer(), firstSeq: try reader.integer(),
        firstTime: try reader.integer(), lastTime: try reader.integer(), checksum: try reader.integer())
      _ = try reader.integer(UInt32.self)
      // An entry must be what a prologue could say.
      try prologue.check()
      entries.append(Entry(offset: offset, prologue: prologue))
    }
  }

  /// Whether the blocks lie end to end from the start of the file up to `end`.
  public func fills(upTo end: UInt64) -> Bool {
    var at: UInt64 = 0
    for entry in entries {
      guard entry.offset == at else { return false }
      at = entry.end
    }
    return at == end
  }
}
