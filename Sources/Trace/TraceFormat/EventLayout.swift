/// Where things are in an events block before compression. See the format document.
enum EventLayout {
  static let magic: UInt32 = 0x5645_5450  // "PTEV"
  static let headerSize = 40
  static let directoryEntrySize = 8
  static let laneEntrySize = 8
  /// The lane number of the host's own lane.
  static let hostVCPU: UInt16 = .max

  /// Columns in the order of the directory. The first three hold a value for every event, the next eight one for every event whose kind
  /// carries it (in the order of the bits of `Columns`, with the lengths of data in the place of the data), the last the data themselves.
  enum Column: Int, CaseIterable {
    case lane = 0, kind, time, gpa, rip, cause, a, b, c, d, dataLength, data
  }

  /// How a column's integers are stored.
  enum Encoding: UInt8 {
    /// `width` planes of one byte a value, the least significant first.
    case planes = 0
    /// A nibble a value (its length in bytes, 0 to 8; the even value in the low half), then the bytes of all values.
    case lengths = 1
  }

  static let columnCount = Column.allCases.count
  static let lanesOffset = headerSize + columnCount * directoryEntrySize

  /// What a delta in a two's complement is stored as, so that small ones of both signs are short.
  @inline(__always) static func zigzag(_ delta: UInt64) -> UInt64 { delta << 1 ^ UInt64(bitPattern: Int64(bitPattern: delta) >> 63) }
  @inline(__always) static func unzigzag(_ value: UInt64) -> UInt64 { value >> 1 ^ (0 &- (value & 1)) }
}
