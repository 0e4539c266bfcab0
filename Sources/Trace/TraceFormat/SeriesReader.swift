/// Finds the series of an events block one after the other, and checks that they lie inside it.
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

  /// Checks a series of `count` numbers and passes over it. Its numbers go to `room` when they are loaded.
  mutating func series(_ count: Int, room: Int = 0) throws(TraceFormatError) -> StoredSeries {
    guard remaining >= 1 else { throw TraceFormatError(.truncated, at: offset, expected: "a series of \(count) numbers") }
    // SAFETY: `offset` is inside the block (just checked), and so are the bytes that are left from it on.
    var series = StoredSeries(mark: unsafe block[offset], offset: offset + 1, count: count, room: room)
    offset += 1
    if series.mark == EventLayout.lengthsMark {
      guard let base = unsafe block.baseAddress,
        let size = unsafe ColumnCodec.sizeOfLengths(base + offset, within: remaining, count: count)
      else { throw TraceFormatError(.inconsistent, at: offset, expected: "the lengths and the bytes of \(count) numbers") }
      series.size = size
    } else {
      guard series.mark <= 8 else { throw TraceFormatError(.outOfRange, at: offset - 1, expected: "planes 0 to 8, or the mark of lengths") }
      series.size = Int(series.mark) * count
      guard series.size <= remaining else {
        throw TraceFormatError(.truncated, at: offset, expected: "\(series.mark) planes of \(count) bytes")
      }
    }
    offset += series.size
    return series
  }
}
