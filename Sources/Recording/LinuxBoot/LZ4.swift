import Glibc

/// Unpacks LZ4 in its legacy frame format, as kernels are packed with `lz4 -l` (lz4, doc/lz4_Block_format.md and doc/lz4_Frame_format.md).
enum LZ4 {
  static let magic: [UInt8] = [0x02, 0x21, 0x4c, 0x18]
  /// What a block of the format unpacks to, at most.
  private static let blockLimit = 8 << 20

  /// Blocks follow each other to the end; a kernel's build puts the unpacked size, 4 bytes, behind them. `size` is what all unpack to.
  static func unpack(_ bytes: ArraySlice<UInt8>, size: Int) throws(LinuxBootError) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: size)
    var (at, filled) = (bytes.startIndex + magic.count, 0)
    while filled < size {
      guard bytes.endIndex - at >= 4 else { throw LinuxBootError(.truncated, offset: UInt64(at), "the packed kernel ends before a block's length") }
      let length = (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
      at += 4
      guard length > 0, length <= bytes.endIndex - at else {
        throw LinuxBootError(.truncated, offset: UInt64(at - 4), "a packed block of \(length) bytes ends past the packed kernel")
      }
      let limit = min(blockLimit, size - filled)
      // SAFETY: the block is inside the bytes, and the output has `limit` bytes from `filled` on.
      let count = unsafe bytes[at..<at + length].withUnsafeBytes { source in
        unsafe out.withUnsafeMutableBytes { unsafe block(source, into: UnsafeMutableRawBufferPointer(rebasing: $0[filled..<filled + limit])) }
      }
      guard let count, count > 0 else { throw LinuxBootError(.malformed, offset: UInt64(at), "a packed block is not what LZ4 packs") }
      filled += count
      at += length
    }
    return out
  }

  /// Unpacks a block; the bytes that it came to, nil where it is none or comes to more than there is room for.
  @unsafe private static func block(_ source: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer) -> Int? {
    guard let from = source.baseAddress, let to = out.baseAddress else { return nil }
    var (at, filled) = (0, 0)
    while at < source.count {
      let token = unsafe Int(source[at])
      at += 1
      guard let literals = unsafe length(token >> 4, source, &at), literals <= source.count - at, literals <= out.count - filled else { return nil }
      // SAFETY: both ranges were just checked.
      unsafe memcpy(to + filled, from + at, literals)
      at += literals
      filled += literals
      // The last sequence has literals only.
      if at == source.count { return filled }
      guard at + 2 <= source.count else { return nil }
      let distance = unsafe Int(source[at]) | Int(source[at + 1]) << 8
      at += 2
      guard let more = unsafe length(token & 15, source, &at), distance > 0, distance <= filled, more + 4 <= out.count - filled else { return nil }
      unsafe copy(to + filled, distance: distance, count: more + 4)
      filled += more + 4
    }
    return nil
  }

  /// A length whose first four bits are `start`: 15 means that bytes follow, up to one that is not 255.
  @unsafe private static func length(_ start: Int, _ source: UnsafeRawBufferPointer, _ at: inout Int) -> Int? {
    guard start == 15 else { return start }
    var total = start
    while at < source.count {
      let byte = unsafe Int(source[at])
      at += 1
      total += byte
      if byte < 255 { return total }
    }
    return nil
  }

  /// Repeats what lies `distance` bytes before; the two may overlap, and then repeat themselves.
  @unsafe private static func copy(_ to: UnsafeMutableRawPointer, distance: Int, count: Int) {
    var done = 0
    while done < count {
      // What is there already is a whole number of repetitions: it can be copied as one piece.
      let piece = min(distance + done, count - done)
      unsafe memcpy(to + done, to - distance, piece)
      done += piece
    }
  }
}
