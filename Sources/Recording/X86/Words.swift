extension [UInt8] {
  /// The number that `count` bytes from `first` on are, the lowest byte first.
  package func word(at first: Int, _ count: Int = 8) -> UInt64 { (0..<count).reduce(0) { $0 | UInt64(self[first + $1]) << UInt64(8 * $1) } }
}
