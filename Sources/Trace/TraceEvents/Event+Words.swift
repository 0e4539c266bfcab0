extension Event {
  /// The data of an event that is a list of 8-byte little-endian words: the acks of a map, the arguments of a hypercall.
  ///
  /// Bytes behind the last whole word do not count.
  public var words: [UInt64] {
    stride(from: 0, to: data.count - data.count % 8, by: 8).map { start in
      (0..<8).reduce(0) { $0 | UInt64(data[start + $1]) << UInt64($1 * 8) }
    }
  }

  /// The data that holds these words.
  public static func data(ofWords words: [UInt64]) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
  }
}
