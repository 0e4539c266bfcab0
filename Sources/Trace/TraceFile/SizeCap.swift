import TraceFormat

/// The most bytes that a file may have, and how many of them must be kept back for its end: a last block with the session's end, the index and
/// the seek table. All of that is counted at its largest, so that the end can never be what breaks the cap.
struct SizeCap {
  /// Raw bytes of a block with a session-end event and its text alone, with much to spare.
  private static let endBlockSize = 1024

  let bytes: UInt64
  /// Bytes of the raw header block, which the index repeats.
  let headerSize: Int

  /// Bytes to keep for the end of a file that has this many blocks.
  private func reserve(blocks: Int) -> Int {
    let parts = BlockIndex.partSizes(headerSize: headerSize, entries: blocks + 1)
    return BlockCompressor.bound(Self.endBlockSize) + parts.reduce(0) { $0 + BlockCompressor.bound($1) } + SeekTable.size(blocks: blocks + 1 + parts.count)
  }

  /// Bytes that may still be written to a file of `offset` bytes, which then has this many blocks.
  func room(at offset: UInt64, blocks: Int) -> Int {
    let taken = offset + UInt64(reserve(blocks: blocks))
    return taken >= bytes ? 0 : Int(clamping: bytes - taken)
  }

  /// Throws where a file of a header and an end is larger already.
  func check(headerBlock: Int, _ path: String) throws(TraceFileError) {
    let least = headerBlock + reserve(blocks: 1)
    guard bytes < UInt64(least) else { return }
    throw TraceFileError(.sizeCap, path: path, detail: "a cap of \(bytes) bytes is too small for a trace; expected \(least) or more")
  }

  func error(_ path: String, at offset: UInt64) -> TraceFileError {
    TraceFileError(.sizeCap, path: path, offset: offset, detail: "the cap of \(bytes) bytes is reached")
  }
}
