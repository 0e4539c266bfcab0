extension UnsafeRawBufferPointer {
  // Little-endian fields. SAFETY: bounds are checked by the callers above before each group of fields.
  func u16(_ offset: Int) -> UInt16 { unsafe UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
  func u32(_ offset: Int) -> UInt32 { unsafe UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
  func u64(_ offset: Int) -> UInt64 { unsafe UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
}
