import TraceFormat

/// The most bytes that a file may have, its end included.
struct SizeCap {
  let bytes: UInt64
  let end: EndRoom

  /// Bytes that may still be written to a file of `offset` bytes, which then has this many blocks.
  func room(at offset: UInt64, blocks: Int) -> Int {
    let taken = offset + UInt64(end.bytes(blocks: blocks))
    return taken >= bytes ? 0 : Int(clamping: bytes - taken)
  }

  /// Throws where a file of a header and an end is larger already.
  func check(headerBlock: Int, _ path: String) throws(TraceFileError) {
    let least = headerBlock + end.bytes(blocks: 1)
    guard bytes < UInt64(least) else { return }
    throw TraceFileError(.sizeCap, path: path, detail: "a cap of \(bytes) bytes is too small for a trace; expected \(least) or more")
  }

  func error(_ path: String, at offset: UInt64) -> TraceFileError {
    TraceFileError(.sizeCap, path: path, offset: offset, detail: "the cap of \(bytes) bytes is reached")
  }
}
