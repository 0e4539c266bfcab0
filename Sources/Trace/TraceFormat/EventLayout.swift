import TraceEvents

/// How an events block is laid out before compression, and what its numbers are differences from. See the format document.
enum EventLayout {
  static let magic: UInt32 = 0x3245_5450  // "PTE2"
  static let headerSize = 40
  static let laneEntrySize = 8
  /// The lane number of the host's own lane.
  static let hostVCPU: UInt16 = .max
  /// Flag of a block whose page-writes' data are stored as runs.
  static let hasRuns: UInt16 = 1
  /// Pieces of data up to this long are stored byte by byte, each position in a plane of its own.
  static let shortPiece = 32
  /// The first byte of a series that is stored as lengths; others are the width of its planes.
  static let lengthsMark: UInt8 = 0x10

  /// How numbers of a kind are predicted; bits of `coding`.
  /// The address is near the last one of the lane, whatever kind had it, rather than near the last one of this kind.
  static let followsLane: UInt8 = 1
  /// The address is that of a page: it is rotated right by 12 bits first.
  static let isPage: UInt8 = 2
  /// `b` numbers a rendezvous: a difference from the lane's last one.
  static let numbersRendezvous: UInt8 = 4

  /// By kind number.
  static let coding: [UInt8] = (0..<256).map { number in
    switch EventKind(rawValue: UInt8(number)) {
    case .writeResult, .alert: followsLane
    case .pageWrite, .pageContents, .traceInstall, .traceRemove, .driverPagesSet, .basePointerSet: isPage
    default: number >= EventKind.rendezvousClaim.rawValue ? numbersRendezvous : 0
    }
  }

  @inline(__always) static func rotatedRight(_ value: UInt64) -> UInt64 { value >> 12 | value << 52 }
  @inline(__always) static func rotatedLeft(_ value: UInt64) -> UInt64 { value << 12 | value >> 52 }

  /// What a delta in a two's complement is stored as, so that small ones of both signs are short.
  @inline(__always) static func zigzag(_ delta: UInt64) -> UInt64 { delta << 1 ^ UInt64(bitPattern: Int64(bitPattern: delta) >> 63) }
  @inline(__always) static func unzigzag(_ value: UInt64) -> UInt64 { value >> 1 ^ (0 &- (value & 1)) }
}
