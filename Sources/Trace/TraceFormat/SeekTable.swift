/// The seek table of zstd's seekable format, the last thing in a finished trace: a skippable frame that lists every frame of the file, prologues
/// with 0 bytes of content. Stock seekable readers use it; this project's uses it to find the index.
public enum SeekTable {
  public static let footerSize = 9
  static let frameMagic: UInt32 = 0x184D_2A5E
  static let footerMagic: UInt32 = 0x8F92_EAB1

  /// Bytes of the seek table of a file of this many blocks.
  public static func size(blocks: Int) -> Int { 8 + blocks * 16 + footerSize }

  /// The seek table of a file that holds these blocks end to end.
  public static func encoded(_ blocks: [BlockIndex.Entry]) -> [UInt8] {
    var out: [UInt8] = []
    let frames = UInt32(blocks.count * 2)
    out.append(integer: frameMagic)
    out.append(integer: frames * 8 + UInt32(footerSize))
    for block in blocks {
      out.append(integer: UInt32(BlockPrologue.size))
      out.append(integer: 0 as UInt32)
      out.append(integer: block.prologue.compressedSize)
      out.append(integer: block.prologue.rawSize)
    }
    out.append(integer: frames)
    out.append(0)
    out.append(integer: footerMagic)
    return out
  }

  /// Bytes of the seek table that ends with this footer; nil where it is not the footer of a table that this project wrote.
  public static func size(footer: [UInt8]) -> Int? {
    var reader = ByteReader(footer)
    guard let frames = try? reader.integer(UInt32.self), (try? reader.integer(UInt8.self)) == 0,
      (try? reader.integer(UInt32.self)) == footerMagic
    else { return nil }
    return 8 + Int(frames) * 8 + footerSize
  }

  /// Sizes of the frames in the file, in order; nil where the bytes are not a seek table.
  public static func frameSizes(_ bytes: [UInt8]) -> [UInt32]? {
    guard bytes.count >= 8 + footerSize, size(footer: Array(bytes.suffix(footerSize))) == bytes.count else { return nil }
    var reader = ByteReader(bytes)
    guard (try? reader.integer(UInt32.self)) == frameMagic, (try? reader.integer(UInt32.self)) == UInt32(bytes.count - 8) else { return nil }
    // SAFETY: as many frames as there are whole entries between the two checked above.
    return unsafe bytes.withUnsafeBytes { bytes in
      let frames = (bytes.count - 8 - footerSize) / 8
      return (0..<frames).map { frame in unsafe bytes.u32(8 + frame * 8) }
    }
  }

  /// Whether the bytes are the seek table of a file that holds these blocks end to end.
  public static func isTable(_ bytes: [UInt8], of blocks: [BlockIndex.Entry]) -> Bool {
    guard bytes.count == size(blocks: blocks.count), frameSizes(bytes) != nil else { return false }
    // SAFETY: the size was checked just now.
    return unsafe bytes.withUnsafeBytes { bytes in
      for (index, block) in blocks.enumerated() {
        let at = 8 + index * 16
        guard unsafe bytes.u32(at) == UInt32(BlockPrologue.size), unsafe bytes.u32(at + 4) == 0,
          unsafe bytes.u32(at + 8) == block.prologue.compressedSize, unsafe bytes.u32(at + 12) == block.prologue.rawSize
        else { return false }
      }
      return true
    }
  }
}
