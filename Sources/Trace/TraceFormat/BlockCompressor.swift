import CZstd

/// Makes blocks: a prologue and a zstd frame (one segment, with its content size and zstd's own checksum).
@safe public final class BlockCompressor {
  private let context: OpaquePointer
  private var frame: [UInt8] = []

  /// Below this many raw bytes a block is compressed harder: there zstd's searches are cheap, and have little to find.
  private static let smallSize = 256 << 10
  private static let smallBonus: Int32 = 3
  private let level: Int32

  /// `level` as zstd's; 3 is its default.
  public init(level: Int32 = 3) {
    self.level = level
    guard let context = unsafe ZSTD_createCCtx() else { fatalError("zstd: out of memory") }
    unsafe self.context = unsafe context
    // SAFETY: the context is this object's; failures of these fixed parameters are programming errors.
    for (parameter, value) in [(ZSTD_c_checksumFlag, 1 as Int32), (ZSTD_c_contentSizeFlag, 1), (ZSTD_c_windowLog, 24)] {
      let code = unsafe ZSTD_CCtx_setParameter(context, parameter, value)
      precondition(ZSTD_isError(code) == 0, "zstd rejects a parameter")
    }
  }

  deinit { unsafe _ = ZSTD_freeCCtx(context) }

  /// Bytes in the file that a block of this many raw bytes takes at most.
  public static func bound(_ rawSize: Int) -> Int { BlockPrologue.size + ZSTD_compressBound(rawSize) }

  /// The bytes of the block in the file. Sizes and checksum in `prologue` are filled in. `cuts` ascend, inside the block: there the frame's zstd
  /// blocks end, so that what follows is coded by statistics of its own.
  public func compress(_ raw: [UInt8], _ prologue: BlockPrologue, cuts: [Int] = []) -> (bytes: [UInt8], prologue: BlockPrologue) {
    precondition(!raw.isEmpty && raw.count <= TraceLimits.rawBlockSize, "size of a block")
    let bound = ZSTD_compressBound(raw.count)
    if frame.count < bound { frame = [UInt8](repeating: 0, count: bound) }
    var prologue = prologue
    var bytes: [UInt8] = []
    // SAFETY: both arrays stay in place and hold the sizes given for the duration of the call.
    unsafe frame.withUnsafeMutableBytes { target in
      let size = unsafe raw.withUnsafeBytes { source in unsafe compress(source, cuts, to: target) }
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

  /// Writes the frame and returns its size.
  private func compress(_ source: UnsafeRawBufferPointer, _ cuts: [Int], to target: UnsafeMutableRawBufferPointer) -> Int {
    var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
    // SAFETY: zstd reads up to each part's end and writes inside the target. A cut costs a few bytes, and cuts are seldom enough for the bound.
    var code = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, source.count < Self.smallSize ? level + Self.smallBonus : level)
    precondition(ZSTD_isError(code) == 0, "zstd rejects a level")
    code = unsafe ZSTD_CCtx_setPledgedSrcSize(context, UInt64(source.count))
    precondition(ZSTD_isError(code) == 0, "zstd rejects a size")
    var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: 0, pos: 0)
    for end in cuts + [source.count] {
      unsafe input.size = end
      repeat {
        code = unsafe ZSTD_compressStream2(context, &output, &input, end == source.count ? ZSTD_e_end : ZSTD_e_flush)
        let hasRoom = unsafe output.pos < output.size
        precondition(ZSTD_isError(code) == 0 && (code == 0 || hasRoom), "zstd cannot compress into a buffer of its own bound")
      } while code != 0
    }
    return unsafe output.pos
  }
}
