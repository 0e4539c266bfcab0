/// A guest's memory map, as a PC's firmware tells it (the E820 table of ACPI, section 15).
public struct MemoryMap: Hashable, Sendable {
  public struct Range: Hashable, Sendable {
    public var start: UInt64
    /// Exclusive.
    public var end: UInt64
    public var isUsable: Bool
  }

  /// By ascending address.
  public private(set) var ranges: [Range]

  /// Memory from 0 to `ramBytes`, less what a PC keeps for itself below 1 MiB, and less `LinuxMap.protectionTree`.
  public init(ramBytes: UInt64) {
    ranges = [
      Range(start: 0, end: LinuxMap.lowMemoryEnd, isUsable: true),
      Range(start: LinuxMap.lowMemoryEnd, end: LinuxMap.firmwareEnd, isUsable: false),
      Range(start: LinuxMap.firmwareEnd, end: ramBytes, isUsable: true),
    ]
    reserve(LinuxMap.protectionTree.lowerBound, LinuxMap.protectionTree.upperBound)
  }

  /// Takes a stretch of memory away from the kernel.
  public mutating func reserve(_ start: UInt64, _ end: UInt64) {
    ranges = ranges.flatMap { range -> [Range] in
      guard range.isUsable, range.start < end, start < range.end else { return [range] }
      let before = Range(start: range.start, end: max(range.start, start), isUsable: true)
      let taken = Range(start: before.end, end: min(range.end, end), isUsable: false)
      let after = Range(start: taken.end, end: range.end, isUsable: true)
      return [before, taken, after].filter { $0.start < $0.end }
    }
  }

  /// Entries of 20 bytes: start, length, type (1 memory, 2 reserved).
  var bytes: [UInt8] {
    ranges.flatMap { littleEndian($0.start, 8) + littleEndian($0.end - $0.start, 8) + littleEndian($0.isUsable ? 1 : 2, 4) }
  }
}

/// Where things lie that the loader puts into memory beside the kernel. All below 640 KiB but the tables of ACPI and of processors, which are where
/// firmware has them.
public enum LinuxMap {
  static let descriptors: UInt64 = 0x7000
  static let zeroPage: UInt64 = 0x8000
  static let stackTop: UInt64 = 0x1_0000
  static let commandLine: UInt64 = 0x2_0000
  static let commandLineEnd: UInt64 = 0x3_0000
  /// Where the host may put a tree of protected pages. Reserved in every guest, so that any recording that goes on from a snapshot has the room.
  public static let protectionTree: Range<UInt64> = 0x4_0000..<0x8_0000
  static let lowMemoryEnd: UInt64 = 0x9_fc00
  static let acpiTables: UInt64 = 0xe_0000
  static let processorTable: UInt64 = 0xf_0000
  static let firmwareEnd: UInt64 = 0x10_0000
}

func littleEndian(_ value: UInt64, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }
