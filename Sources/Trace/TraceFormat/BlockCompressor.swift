import CZstd

/// Makes blocks: a prologue and a zstd frame (one segment, with its content size and zstd's own checksum).
@safe public final class BlockCompressor {
  private let context: OpaquePointer
  private var frame: [UInt8] = []

  /// `level` as zstd's; 3 is its default.
  public init(level: Int32 = 3) {
    guard let context = unsafe ZSTD_createCCtx() else { fatalError("zstd: out of memory") }
    unsafe self.context = unsafe context
    // SAFETY: the context is this object's; failures of these fixed parameters are programming errors.
    for (parameter, value) in [(ZSTD_c_compressionLevel, level), (ZSTD_c_checksumFlag, 1), (ZSTD_c_contentSizeFlag, 1), (ZSTD_c_windowLog, 24)] {
      let code = unsafe ZSTD_CCtx_setParameter(context, parameter, value)
      precondition(ZSTD_isError(code) == 0, "zstd rejects a parameter")
    }
  }

  deinit { unsafe _ = ZSTD_freeCCtx(context) }

  /// Bytes in the file that a block of this many raw bytes takes at most.
  public static func bound(_ rawSize: Int) -> Int { BlockPrologue.size + ZSTD_compressBound(rawSize) }

  /// The bytes of the block in the file. Sizes and checksum in `prologue` are filled in.
  public func compress(_ raw: [UInt8], _ prologue: BlockPrologue) -> (bytes: [UInt8], prologue: BlockPrologue) {
    precondition(!raw.isEmpty && raw.count <= TraceLimits.rawBlockSize, "size of a block")
    let bound = ZSTD_compressBound(raw.count)
    if frame.count < bound { frame = [UInt8](repeating: 0, count: bound) }
    var prologue = prologue
    var bytes: [UInt8] = []
    // SAFETY: both arrays stay in place and hold the sizes given for the duration of the call.
    unsafe frame.withUnsafeMutableBytes { target in
      let size = unsafe raw.withUnsafeBytes { source in
        unsafe ZSTD_compress2(context, target.baseAddress, target.count, source.baseAddress, source.count)
      }
      precondition(ZSTD_isError(size) == 0, "zstd cannot compress into a buffer of its own bound")
      let frame = unsafe UnsafeRawBufferPointer(rebasing: target[..<size])
      prologue.compressedSize = UInt32(size)
      prologue.rawSize = UInt32(raw.count)
      unsafe prologue.checksum = CRC32C.checksum(frame)
      bytes.reserveCapacity(BlockPrologue.size + size)
      bytes += prologue.encoded
      unsafe bytes.append(contentsOf: frame)
    }
    return (bytes, prologue)
  }
}
