/// The two encodings of a column of integers, decoded in bulk.
enum ColumnCodec {
  /// Value `i` is byte `i` of each plane, the first plane least significant. `base` must hold `width * count` bytes.
  @unsafe static func readPlanes(_ base: UnsafeRawPointer, width: Int, count: Int, into values: UnsafeMutablePointer<UInt64>) {
    let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
    // SAFETY: indexes stay below `width * count` in the bytes and below `count` in the values.
    switch width {
    case 0: unsafe values.update(repeating: 0, count: count)
    case 1: for index in 0..<count { unsafe values[index] = UInt64(bytes[index]) }
    case 2:
      let high = unsafe bytes + count
      for index in 0..<count { unsafe values[index] = UInt64(bytes[index]) | UInt64(high[index]) << 8 }
    default:
      let (middle, high) = unsafe (bytes + count, bytes + 2 * count)
      for index in 0..<count { unsafe values[index] = UInt64(bytes[index]) | UInt64(middle[index]) << 8 | UInt64(high[index]) << 16 }
      for plane in 3..<max(width, 3) {
        let (next, shift) = unsafe (bytes + plane * count, UInt64(plane * 8))
        for index in 0..<count { unsafe values[index] |= UInt64(next[index]) << shift }
      }
    }
  }

  /// A nibble a value, then the bytes. Returns how many bytes all of it takes; nil where that is more than `size`, or a nibble says more than 8.
  @unsafe static func readLengths(_ base: UnsafeRawPointer, within size: Int, count: Int, into values: UnsafeMutablePointer<UInt64>) -> Int? {
    let codeSize = (count + 1) / 2
    guard size >= codeSize else { return nil }
    let codes = unsafe base.assumingMemoryBound(to: UInt8.self)
    var at = codeSize
    var index = 0
    // SAFETY: the fast loop reads 8 bytes only where 8 are left in the column; the slow one only as many as the value has.
    while index < count, at + 8 <= size {
      let length = unsafe Int(codes[index >> 1] >> UInt8((index & 1) << 2) & 15)
      guard length <= 8 else { return nil }
      let word = unsafe UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      unsafe values[index] = length == 0 ? 0 : word & (UInt64.max &>> UInt64(64 &- length &* 8))
      at &+= length
      index &+= 1
    }
    while index < count {
      let length = unsafe Int(codes[index >> 1] >> UInt8((index & 1) << 2) & 15)
      guard length <= 8, length <= size - at else { return nil }
      var value: UInt64 = 0
      for byte in 0..<length { value |= unsafe UInt64(codes[at + byte]) << UInt64(byte * 8) }
      unsafe values[index] = value
      at += length
      index += 1
    }
    return at
  }
}
