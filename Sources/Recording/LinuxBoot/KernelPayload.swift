import CZstd

/// The packed kernel inside a bzImage.
///
/// A bzImage unpacks itself; where instructions are emulated that takes minutes, and it is done here instead. Understood are LZ4 and zstd, which is
/// what distributions pack their kernels with now.
enum KernelPayload {
  private static let zstdMagic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]
  private static let others: [(magic: [UInt8], name: String)] = [
    ([0x1f, 0x8b], "gzip"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz"), ([0x42, 0x5a, 0x68], "bzip2"), ([0x89, 0x4c, 0x5a, 0x4f], "lzo"),
    ([0x5d, 0, 0], "lzma"),
  ]
  /// No kernel unpacks to more.
  private static let sizeLimit = 1 << 30

  /// The kernel's ELF file, and behind it what it carries to be relocated by.
  static func unpack(_ file: [UInt8], _ header: SetupHeader) throws(LinuxBootError) -> [UInt8] {
    let packed = file[header.payload]
    let start = UInt64(packed.startIndex)
    if let other = others.first(where: { packed.starts(with: $0.magic) }) {
      throw LinuxBootError(
        .unsupported, offset: start, "the kernel is packed with \(other.name); expected LZ4 or zstd. Give the unpacked vmlinux instead")
    }
    guard packed.count > 8 else { throw LinuxBootError(.truncated, offset: start, "expected a packed kernel, found \(packed.count) bytes") }
    // Whatever it is packed with, the build puts the unpacked size behind it.
    let size = (0..<4).reduce(0) { $0 | Int(packed[packed.endIndex - 4 + $1]) << (8 * $1) }
    guard size > 0, size <= sizeLimit else {
      throw LinuxBootError(.malformed, offset: UInt64(packed.endIndex - 4), "expected the unpacked kernel's size, up to 1 GiB, found \(size)")
    }
    if packed.starts(with: LZ4.magic) { return try LZ4.unpack(packed.dropLast(4), size: size) }
    guard packed.starts(with: zstdMagic) else {
      throw LinuxBootError(.unsupported, offset: start, "expected a kernel packed with LZ4 or zstd, found neither. Give the unpacked vmlinux instead")
    }
    return try zstd(packed.dropLast(4), size: size)
  }

  private static func zstd(_ packed: ArraySlice<UInt8>, size: Int) throws(LinuxBootError) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: size)
    // SAFETY: both buffers live through the call, and the library is told how long they are.
    let count = unsafe packed.withUnsafeBytes { source in
      unsafe out.withUnsafeMutableBytes { unsafe ZSTD_decompress($0.baseAddress, $0.count, source.baseAddress, source.count) }
    }
    guard ZSTD_isError(count) == 0, count == size else {
      throw LinuxBootError(.malformed, offset: UInt64(packed.startIndex), "the packed kernel is not what zstd packs, or not \(size) bytes unpacked")
    }
    return out
  }
}
