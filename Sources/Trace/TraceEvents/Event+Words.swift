extension Event {
  /// The data of an event that is a list of 8-byte little-endian words: the acks of a map, the arguments of a hypercall.
  ///
  /// Bytes behind the last whole word do not count.
  public var words: [UInt64] {
    // SAFETY: as many whole words as the bytes hold.
    unsafe data.withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map { unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
    }
  }

  /// The data that holds these words.
  public static func data(ofWords words: [UInt64]) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
  }
}
