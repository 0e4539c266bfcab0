import CZstd

/// Opens blocks: checks the frame against its prologue, then decompresses it into a buffer that is used again.
@safe public final class BlockDecompressor {
  private let context: OpaquePointer
  private var buffer: UnsafeMutableRawBufferPointer

  public init() {
    guard let context = unsafe ZSTD_createDCtx() else { fatalError("zstd: out of memory") }
    // Every byte of a frame is checked by its prologue's CRC before it is decompressed: zstd's own checksum of what comes out would say it again.
    unsafe _ = pagetape_ignore_checksum(context)
    unsafe self.context = unsafe context
    unsafe buffer = .allocate(byteCount: 1 << 20, alignment: 8)
  }

  deinit {
    unsafe _ = ZSTD_freeDCtx(context)
    unsafe buffer.deallocate()
  }

  /// The block before compression, valid until the next call. `frame` is all of the zstd frame.
  @unsafe public func decompress(_ frame: UnsafeRawBufferPointer, _ prologue: BlockPrologue) throws(TraceFormatError) -> UnsafeRawBufferPointer {
    let size = try unsafe check(frame, prologue)
    if unsafe buffer.count < size {
      unsafe buffer.deallocate()
      unsafe buffer = .allocate(byteCount: size, alignment: 8)
    }
    let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
    try unsafe decompress(frame, into: target)
    return UnsafeRawBufferPointer(target)
  }

  /// Checks every byte of the frame, and that it is one zstd frame. Returns the size of the block before compression.
  @unsafe func check(_ frame: UnsafeRawBufferPointer, _ prologue: BlockPrologue) throws(TraceFormatError) -> Int {
    let size = Int(prologue.rawSize)
    guard frame.count == Int(prologue.compressedSize) else {
      throw TraceFormatError(.truncated, at: BlockPrologue.size, expected: "a frame of \(prologue.compressedSize) bytes")
    }
    guard unsafe CRC32C.checksum(frame) == prologue.checksum else {
      throw TraceFormatError(.badChecksum, at: BlockPrologue.size, expected: "the frame's checksum")
    }
    // SAFETY: zstd reads inside the frame only. The sizes it is told of are checked before anything is allocated for them.
    guard unsafe ZSTD_getFrameContentSize(frame.baseAddress, frame.count) == UInt64(size), size <= TraceLimits.rawBlockSize,
      unsafe ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count
    else { throw TraceFormatError(.inconsistent, at: BlockPrologue.size, expected: "one zstd frame that holds \(size) bytes") }
    return size
  }

  /// Decompresses a frame that was checked into a buffer of the size that it has.
  @unsafe func decompress(_ frame: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws(TraceFormatError) {
    // SAFETY: zstd reads and writes inside the two buffers only.
    let result = unsafe ZSTD_decompressDCtx(context, target.baseAddress, target.count, frame.baseAddress, frame.count)
    guard ZSTD_isError(result) == 0, result == target.count else {
      throw TraceFormatError(.badFrame, at: BlockPrologue.size, expected: "a zstd frame (\(unsafe String(cString: ZSTD_getErrorName(result))))")
    }
  }
}
