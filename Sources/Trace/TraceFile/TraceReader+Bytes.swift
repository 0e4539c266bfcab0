import TraceFormat

extension TraceReader {
  /// Shows all bytes of the file, in pieces.
  public func readBytes(_ body: ([UInt8]) -> Void) {
    var at: UInt64 = 0
    while at < size {
      // SAFETY: the bytes are copied before the input is read again.
      let piece = unsafe Array(input.read(at: at, count: Int(min(size - at, 1 << 20))))
      guard !piece.isEmpty else { return }
      body(piece)
      at += UInt64(piece.count)
    }
  }

  /// The bytes of the file that hold this event, among others: its block. Nil where there is none.
  public func bytes(ofEvent seq: UInt64) -> Range<UInt64>? {
    let block = blocks.first {
      $0.prologue.type == BlockType.events.rawValue && $0.prologue.firstSeq <= seq && seq - $0.prologue.firstSeq < UInt64($0.prologue.count)
    }
    return block.map { $0.offset..<$0.end }
  }
}
