/// Reads the series of an events block one after the other, and checks that they lie inside it.
@safe struct SeriesReader {
  let block: UnsafeRawBufferPointer
  private(set) var offset: Int

  init(_ block: UnsafeRawBufferPointer, at offset: Int) {
    unsafe self.block = unsafe block
    self.offset = offset
  }

  var remaining: Int { unsafe block.count - offset }

  /// Passes over a stream of `count` bytes and returns where it begins.
  mutating func take(_ count: Int, _ what: String) throws(TraceFormatError) -> Int {
    guard count <= remaining else { throw TraceFormatError(.truncated, at: offset, expected: "\(count) bytes of \(what)") }
    defer { offset += count }
    return offset
  }

  /// Reads a series of `count` numbers into `values`, which must have room for them.
  @unsafe mutating func read(_ count: Int, into values: UnsafeMutablePointer<UInt64>) throws(TraceFormatError) {
    guard remaining >= 1 else { throw TraceFormatError(.truncated, at: offset, expected: "a series of \(count) numbers") }
    // SAFETY: `offset` is inside the block (just checked); the planes are checked before they are read, and lengths check themselves.
    let mark = unsafe block[offset]
    offset += 1
    guard let base = unsafe block.baseAddress else { return }
    if mark == EventLayout.lengthsMark {
      guard let size = unsafe ColumnCodec.readLengths(base + offset, within: remaining, count: count, into: values) else {
        throw TraceFormatError(.inconsistent, at: offset, expected: "the lengths and the bytes of \(count) numbers")
      }
      offset += size
      return
    }
    let width = Int(mark)
    guard width <= 8 else { throw TraceFormatError(.outOfRange, at: offset - 1, expected: "planes 0 to 8, or the mark of lengths") }
    guard width * count <= remaining else { throw TraceFormatError(.truncated, at: offset, expected: "\(width) planes of \(count) bytes") }
    unsafe ColumnCodec.readPlanes(base + offset, width: width, count: count, into: values)
    offset += width * count
  }
}
