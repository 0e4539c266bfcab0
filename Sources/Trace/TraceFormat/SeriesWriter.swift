/// The bytes of an events block as they are put together: series of numbers and streams of bytes.
struct SeriesWriter {
  /// A stream this long gets a zstd block of its own: shorter ones do not repay what a block costs.
  private static let cutSize = 4096

  private(set) var bytes: [UInt8] = []
  /// Where a zstd block should begin, ascending.
  private(set) var cuts: [Int] = []

  mutating func removeAll(reserving capacity: Int) {
    bytes.removeAll(keepingCapacity: true)
    bytes.reserveCapacity(capacity)
    cuts.removeAll(keepingCapacity: true)
  }

  /// The block, with its own size filled in.
  mutating func finish() -> [UInt8] {
    for index in 0..<4 { bytes[4 + index] = UInt8(truncatingIfNeeded: bytes.count >> (index * 8)) }
    while let last = cuts.last, last >= bytes.count { cuts.removeLast() }
    return bytes
  }

  mutating func append<T: FixedWidthInteger & UnsignedInteger>(integer value: T) { bytes.append(integer: value) }

  mutating func append(stream: [UInt8]) {
    let start = bytes.count
    bytes.append(contentsOf: stream)
    endStream(from: start)
  }

  /// Adds room for a stream, filled with zeros, and returns where it begins.
  mutating func appendRoom(_ count: Int) -> Int {
    bytes.append(contentsOf: repeatElement(0, count: count))
    return bytes.count - count
  }

  /// Says that the bytes from `start` to `end`, or to here, are alike.
  mutating func endStream(from start: Int, to end: Int? = nil) {
    let (last, end) = (cuts.last ?? 0, end ?? bytes.count)
    if end - start >= Self.cutSize {
      if start > last { cuts.append(start) }
      cuts.append(end)
    } else if end - last >= Self.cutSize {
      cuts.append(end)
    }
  }

  /// Appends a series: a byte that says how, then the numbers in planes or as lengths.
  mutating func append(series values: ArraySlice<UInt64>, asLengths: Bool = false) {
    var all: UInt64 = 0
    for value in values { all |= value }
    let width = (71 - all.leadingZeroBitCount) / 8
    if asLengths, width > 1 { return appendLengths(values, width) }
    bytes.append(UInt8(width))
    let start = appendRoom(width * values.count)
    // SAFETY: `width * values.count` bytes follow `start`.
    unsafe bytes.withUnsafeMutableBufferPointer { out in
      var at = start
      for plane in 0..<width {
        let shift = UInt64(plane &* 8)
        for value in values {
          unsafe out[at] = UInt8(truncatingIfNeeded: value &>> shift)
          at &+= 1
        }
      }
    }
    for plane in 0..<width { endStream(from: start + plane * values.count, to: start + (plane + 1) * values.count) }
  }

  private mutating func appendLengths(_ values: ArraySlice<UInt64>, _ width: Int) {
    bytes.append(EventLayout.lengthsMark)
    let codes = (values.count + 1) / 2
    let bound = codes + width * values.count + 8
    let start = appendRoom(bound)
    // SAFETY: every number is stored as 8 bytes of which its length is kept, so 8 spare ones are there.
    let used = unsafe bytes.withUnsafeMutableBytes { bytes in
      let out = unsafe bytes.baseAddress! + start
      var at = codes
      for (index, value) in values.enumerated() {
        let length = (71 &- value.leadingZeroBitCount) &>> 3
        let code = unsafe out.load(fromByteOffset: index &>> 1, as: UInt8.self) | UInt8(truncatingIfNeeded: length &<< ((index & 1) &<< 2))
        unsafe out.storeBytes(of: code, toByteOffset: index &>> 1, as: UInt8.self)
        unsafe out.storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt64.self)
        at &+= length
      }
      return at
    }
    bytes.removeLast(bound - used)
    endStream(from: start)
  }

  /// Calls `body` with the bytes from `start` on.
  mutating func withBytes(from start: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Void) {
    // SAFETY: `start` is the place of room that was appended; `body` stays inside it.
    unsafe bytes.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { unsafe body(base + start) }
    }
  }
}
