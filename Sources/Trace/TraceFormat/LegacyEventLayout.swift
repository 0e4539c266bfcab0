/// Where things are in an events block of format version 1. See the format document.
enum LegacyEventLayout {
  static let magic: UInt32 = 0x5645_5450  // "PTEV"
  static let headerSize = 40
  static let directoryEntrySize = 8
  static let laneEntrySize = 8

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
}
