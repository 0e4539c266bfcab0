/// The two encodings of a column of integers, decoded in bulk.
enum ColumnCodec {
  /// The numbers of a series that was checked to lie inside the block.
  @unsafe static func read(_ series: StoredSeries, of block: UnsafeRawPointer, into values: UnsafeMutablePointer<UInt64>) {
    let base = unsafe block + series.offset
    if series.mark == EventLayout.lengthsMark {
      _ = unsafe readLengths(base, within: series.size, count: series.count, into: values)
    } else {
      unsafe readPlanes(base, width: Int(series.mark), count: series.count, into: values)
    }
  }

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

  /// How many bytes `readLengths` would read. Nil where that is more than `size`, or a nibble says more than 8.
  @unsafe static func sizeOfLengths(_ base: UnsafeRawPointer, within size: Int, count: Int) -> Int? {
    let codeSize = (count + 1) / 2
    guard size >= codeSize else { return nil }
    var total = codeSize
    // SAFETY: there are `codeSize` bytes.
    for index in 0..<count {
      let length = unsafe Int(base.load(fromByteOffset: index >> 1, as: UInt8.self) >> UInt8((index & 1) << 2) & 15)
      guard length <= 8 else { return nil }
      total += length
    }
    return total <= size ? total : nil
  }

  /// The sum of numbers stored as planes.
  @unsafe static func sumOfPlanes(_ base: UnsafeRawPointer, width: Int, count: Int) -> UInt128 {
    let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
    var total: UInt128 = 0
    for plane in 0..<width {
      // At most 2^17 numbers: their bytes add up to less than 2^25.
      var sum: UInt32 = 0
      for index in plane * count..<(plane + 1) * count { sum &+= unsafe UInt32(bytes[index]) }
      total += UInt128(sum) << UInt128(plane * 8)
    }
    return total
  }

  /// Counts how often each byte is among `count` of them. Four tables, so that equal neighbours need not wait for each other.
  @unsafe static func histogram(_ base: UnsafeRawPointer, count: Int) -> [Int] {
    let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
    var tables = [UInt32](repeating: 0, count: 4 * 256)
    unsafe tables.withUnsafeMutableBufferPointer { tables in
      // Many series begin with, or are, one number over and over.
      var index = unsafe lengthOfStart(base, count: count)
      if index > 0 { unsafe tables[Int(bytes[0])] = UInt32(truncatingIfNeeded: index) }
      // SAFETY: indexes stay below `count`; a byte is below 256.
      while index + 4 <= count {
        unsafe tables[Int(bytes[index])] &+= 1
        unsafe tables[256 + Int(bytes[index + 1])] &+= 1
        unsafe tables[512 + Int(bytes[index + 2])] &+= 1
        unsafe tables[768 + Int(bytes[index + 3])] &+= 1
        index &+= 4
      }
      while index < count {
        unsafe tables[Int(bytes[index])] &+= 1
        index &+= 1
      }
    }
    return (0..<256).map { byte in (0..<4).reduce(0) { $0 + Int(tables[$1 * 256 + byte]) } }
  }

  /// How many bytes from the first on are all like it, eight at a time.
  @unsafe private static func lengthOfStart(_ base: UnsafeRawPointer, count: Int) -> Int {
    guard count >= 8 else { return 0 }
    let pattern = unsafe UInt64(base.load(as: UInt8.self)) &* 0x0101_0101_0101_0101
    var length = 0
    // SAFETY: eight bytes are left.
    while length &+ 8 <= count, unsafe base.loadUnaligned(fromByteOffset: length, as: UInt64.self) == pattern { length &+= 8 }
    return length
  }
}
