/// What a block of the file holds.
public enum BlockType: UInt8, Sendable, CaseIterable {
  case header = 1, events, keyframe, index
}

/// The 64 bytes before every zstd frame: a skippable frame of zstd's own, so that stock tools pass over it.
///
/// It says what the frame holds without decompressing it, and it checks the frame's every byte and its own. An index can be rebuilt by
/// walking from prologue to prologue, and a reader that has lost its place finds the next one by its magic number.
public struct BlockPrologue: Hashable, Sendable {
  public static let size = 64
  /// First 16 bytes of every prologue: zstd's skippable magic 0x184D2A57, the size of what follows (56), then "\x89PTBLK\r\n".
  public static let signature: [UInt8] = [0x57, 0x2A, 0x4D, 0x18, 56, 0, 0, 0, 0x89, 0x50, 0x54, 0x42, 0x4C, 0x4B, 0x0D, 0x0A]

  /// Raw value of a `BlockType`; a reader passes over types that it does not know.
  public var type: UInt8
  /// Bytes of the zstd frame that follows.
  public var compressedSize: UInt32
  /// Bytes of the block before compression.
  public var rawSize: UInt32
  /// Events in an events block; parts that follow this one in a keyframe or an index.
  public var count: UInt32
  /// Of an events block its first event, of a keyframe the last event folded into it, else 0.
  public var firstSeq: UInt64
  /// Of an events block its first and its last event, of a keyframe both the last event's, else 0.
  public var firstTime: UInt64
  public var lastTime: UInt64
  /// CRC-32C of the zstd frame.
  public var checksum: UInt32

  public init(
    type: UInt8, compressedSize: UInt32 = 0, rawSize: UInt32 = 0, count: UInt32 = 0, firstSeq: UInt64 = 0, firstTime: UInt64 = 0, lastTime: UInt64 = 0,
    checksum: UInt32 = 0
  ) {
    self.type = type
    self.compressedSize = compressedSize
    self.rawSize = rawSize
    self.count = count
    self.firstSeq = firstSeq
    self.firstTime = firstTime
    self.lastTime = lastTime
    self.checksum = checksum
  }

  public var encoded: [UInt8] {
    var out = Self.signature
    out.append(type)
    out.append(contentsOf: [0, 0, 0])
    out.append(integer: compressedSize)
    out.append(integer: rawSize)
    out.append(integer: count)
    out.append(integer: firstSeq)
    out.append(integer: firstTime)
    out.append(integer: lastTime)
    out.append(integer: checksum)
    unsafe out.append(integer: out.withUnsafeBytes { unsafe CRC32C.checksum($0) })
    return out
  }

  /// Decodes and checks the 64 bytes at the start of `bytes`.
  public init(decoding bytes: UnsafeRawBufferPointer) throws(TraceFormatError) {
    guard bytes.count >= Self.size else { throw TraceFormatError(.truncated, at: 0, expected: "a prologue of \(Self.size) bytes") }
    // SAFETY: all offsets below are under `size`, which the buffer holds.
    guard unsafe bytes[..<16].elementsEqual(Self.signature) else { throw TraceFormatError(.badMagic, at: 0, expected: "a prologue") }
    guard unsafe bytes.u32(60) == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<60])) else {
      throw TraceFormatError(.badChecksum, at: 60, expected: "the checksum of the prologue")
    }
    self.init(
      type: unsafe bytes[16], compressedSize: unsafe bytes.u32(20), rawSize: unsafe bytes.u32(24), count: unsafe bytes.u32(28),
      firstSeq: unsafe bytes.u64(32), firstTime: unsafe bytes.u64(40), lastTime: unsafe bytes.u64(48), checksum: unsafe bytes.u32(56))
    try check()
  }

  /// Fails where no block is like this.
  func check() throws(TraceFormatError) {
    guard rawSize >= 1, rawSize <= TraceLimits.rawBlockSize else {
      throw TraceFormatError(.outOfRange, at: 24, expected: "a block of 1 to \(TraceLimits.rawBlockSize) bytes")
    }
    guard compressedSize >= 9, compressedSize <= TraceLimits.compressedBlockSize else {
      throw TraceFormatError(.outOfRange, at: 20, expected: "a frame of at most \(TraceLimits.compressedBlockSize) bytes")
    }
    guard type != BlockType.events.rawValue
      || (count >= 1 && count <= TraceLimits.eventsPerBlock && firstSeq >= 1 && firstSeq < 1 << 63 && firstTime <= lastTime)
    else { throw TraceFormatError(.outOfRange, at: 28, expected: "1 to \(TraceLimits.eventsPerBlock) events, in the order of time") }
  }
}
