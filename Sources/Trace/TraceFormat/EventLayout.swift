import TraceEvents

/// How an events block is laid out before compression, and what its numbers are differences from. See the format document.
@usableFromInline enum EventLayout {
  static let magic: UInt32 = 0x3245_5450  // "PTE2"
  static let headerSize = 40
  static let laneEntrySize = 8
  /// The lane number of the host's own lane.
  static let hostVCPU: UInt16 = .max
  /// Flag of a block whose page-writes' data are stored as runs.
  static let hasRuns: UInt16 = 1
  /// Pieces of data up to this long are stored byte by byte, each position in a plane of its own.
  static let shortPiece = 32
  /// The short pieces' positions, and one for all long pieces.
  static let placesPerKind = shortPiece + 1
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

  /// How many bytes behind a block can be read in memory.
  static let readablePastEnd = 16

  /// How many kinds from `at` on are like the first one, up to `limit`. Up to 16 bytes past the limit are read.
  @inlinable @inline(__always) @unsafe static func streak(_ at: UnsafePointer<UInt8>, limit: Int) -> Int {
    let pattern = unsafe UInt64(at[0]) &* 0x0101_0101_0101_0101
    var length = 1
    while length < limit {
      let next = unsafe UnsafeRawPointer(at + length)
      let low = unsafe UInt64(littleEndian: next.loadUnaligned(as: UInt64.self)) ^ pattern
      let high = unsafe UInt64(littleEndian: next.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) ^ pattern
      if low | high != 0 {
        // No branch on which of the two it is: that cannot be foretold.
        length &+= (low != 0 ? low : high).trailingZeroBitCount &>> 3 &+ (low != 0 ? 0 : 8)
        break
      }
      length &+= 16
    }
    return min(length, limit)
  }

  /// Which operands of a kind are stored as differences, and from what.
  struct Differences: OptionSet {
    let rawValue: UInt8

    static let gpa = Differences(rawValue: 1)
    static let pageGPA = Differences(rawValue: 2)
    static let laneGPA = Differences(rawValue: 4)
    static let rip = Differences(rawValue: 8)
    static let rendezvous = Differences(rawValue: 16)
    static let digest = Differences(rawValue: 32)
    /// A page's address and nothing else, of the kind that comes in streaks.
    static let manyPages = Differences(rawValue: 64)
    static let anyGPA: Differences = [.gpa, .pageGPA, .laneGPA]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(kind: Int, columns: UInt8) {
      let coding = EventLayout.coding[kind]
      var all: Differences = []
      if columns & 1 != 0 { all.insert(coding & isPage != 0 ? .pageGPA : coding & followsLane != 0 ? .laneGPA : .gpa) }
      if columns & 2 != 0 { all.insert(.rip) }
      if columns & 16 != 0, coding & numbersRendezvous != 0 { all.insert(.rendezvous) }
      if columns & 32 != 0 { all.insert(.digest) }
      self = all
    }

    /// Whether the operand with this number is one.
    func contains(operand: Int) -> Bool {
      switch operand {
      case 0: !isDisjoint(with: .anyGPA)
      case 1: contains(.rip)
      case 4: contains(.rendezvous)
      case 5: contains(.digest)
      default: false
      }
    }
  }
}
