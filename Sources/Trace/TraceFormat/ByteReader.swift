/// Reads little-endian fields of a small block, every one bounds-checked.
struct ByteReader {
  let bytes: [UInt8]
  private(set) var offset: Int

  init(_ bytes: [UInt8], at offset: Int = 0) {
    self.bytes = bytes
    self.offset = offset
  }

  var remaining: Int { bytes.count - offset }

  mutating func integer<T: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(_: T.Type = T.self) throws(TraceFormatError) -> T {
    let size = T.bitWidth / 8
    guard remaining >= size else { throw TraceFormatError(.truncated, at: offset, expected: "\(size) more bytes") }
    // SAFETY: just checked.
    let value = unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
    offset += size
    return T(littleEndian: value)
  }

  mutating func take(_ count: Int) throws(TraceFormatError) -> [UInt8] {
    guard count >= 0, remaining >= count else { throw TraceFormatError(.truncated, at: offset, expected: "\(count) more bytes") }
    defer { offset += count }
    return Array(bytes[offset..<offset + count])
  }

  /// A length (u32) and that many bytes of UTF-8; what is not UTF-8 in it is repaired.
  mutating func text() throws(TraceFormatError) -> String {
    let at = offset
    let count = try integer(UInt32.self)
    guard count <= TraceLimits.textSize else { throw TraceFormatError(.outOfRange, at: at, expected: "a text of at most \(TraceLimits.textSize) bytes") }
    return String(decoding: try take(Int(count)), as: UTF8.self)
  }

  /// A count (u32) of things that take at least `size` bytes each, so that no count can ask for more memory than the file holds.
  mutating func count(limit: Int, each size: Int, of what: String) throws(TraceFormatError) -> Int {
    let at = offset
    let count = Int(try integer(UInt32.self))
    guard count <= limit, count * size <= remaining else {
      throw TraceFormatError(.outOfRange, at: at, expected: "at most \(min(limit, remaining / max(size, 1))) \(what), not \(count)")
    }
    return count
  }

  mutating func expect(magic: UInt32) throws(TraceFormatError) {
    let at = offset
    guard try integer(UInt32.self) == magic else { throw TraceFormatError(.badMagic, at: at, expected: "the block's magic number") }
  }
}

extension [UInt8] {
  mutating func append<T: FixedWidthInteger & UnsignedInteger>(integer value: T) {
    for index in 0..<T.bitWidth / 8 { append(UInt8(truncatingIfNeeded: value >> T(index * 8))) }
  }

  mutating func append(text: String) {
    let bytes = Array(text.utf8.prefix(TraceLimits.textSize))
    append(integer: UInt32(bytes.count))
    append(contentsOf: bytes)
  }
}
