import TraceFormat

/// How many bytes the end of a file takes: a last block with the session's end, the index and the seek table. All of that is counted at its
/// largest, so that an end for which this room was kept always fits.
struct EndRoom {
  /// Raw bytes of a block with a session-end event and its text alone, with much to spare.
  private static let endBlockSize = 1024

  /// Bytes of the raw header block, which the index repeats.
  let headerSize: Int

  /// Bytes for the end of a file that has this many blocks.
  func bytes(blocks: Int) -> Int {
    let parts = BlockIndex.partSizes(headerSize: headerSize, entries: blocks + 1)
    return BlockCompressor.bound(Self.endBlockSize) + parts.reduce(0) { $0 + BlockCompressor.bound($1) } + SeekTable.size(blocks: blocks + 1 + parts.count)
  }
}
