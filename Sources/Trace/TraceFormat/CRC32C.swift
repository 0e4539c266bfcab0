import CZstd

/// CRC-32C (Castagnoli polynomial, reflected 0x82F63B78, initial value and final XOR all ones), as in iSCSI and ext4.
public enum CRC32C {
  private static let hasInstruction = pagetape_has_crc32() != 0
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 != 0 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
  }

  public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    // SAFETY: the buffer is the caller's for the duration of the call, and its count goes with it.
    if hasInstruction, let base = bytes.baseAddress { return unsafe ~pagetape_crc32c(.max, base, bytes.count) }
    return unsafe portable(bytes)
  }

  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(UInt32.max) { crc, byte in crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
  }

  /// By table, for a CPU without the instruction.
  static func portable(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var crc = UInt32.max
    // SAFETY: iterates inside the buffer's own bounds.
    for unsafe byte in unsafe bytes { crc = crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
    return ~crc
  }
}
