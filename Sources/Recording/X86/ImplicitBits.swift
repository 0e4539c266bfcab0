/// Bits that a CPU sets by itself in tables that it reads (Intel SDM volume 3, 3.4.5 and 4.8): accessed and dirty.
///
/// Where they are set already it writes nothing there.
public enum ImplicitBits {
  private static let accessed: UInt64 = 1 << 5
  private static let dirty: UInt64 = 1 << 6
  private static let entryCount = 512
  private static let addressBits: UInt64 = 0x000f_ffff_ffff_f000

  // MARK: Segment descriptors

  /// A descriptor with its accessed bit; as it is where it has none: not present, or of the system's.
  public static func preset(descriptor: UInt64) -> UInt64 {
    let isPresent = descriptor & 1 << 47 != 0, isCodeOrData = descriptor & 1 << 44 != 0
    return isPresent && isCodeOrData ? descriptor | 1 << 40 : descriptor
  }

  // MARK: Page tables

  /// A page-table entry with its accessed bit, and with its dirty bit where it maps a page that may be written. `level` is 1 for 4 KiB pages.
  public static func preset(entry: UInt64, level: Int) -> UInt64 {
    guard entry & 1 != 0 else { return entry }
    return entry | accessed | (mapsPage(entry, level) && entry & 2 != 0 ? dirty : 0)
  }

  private static func mapsPage(_ entry: UInt64, _ level: Int) -> Bool { level == 1 || level <= 3 && entry & 1 << 7 != 0 }

  /// Every page table that `cr3` leads to, once, with its level. `read` gives a page's bytes; nil where there is no memory.
  public static func tables(cr3: UInt64, levels: Int, read: (UInt64) -> [UInt8]?) -> [(gpa: UInt64, level: Int, entries: [UInt64])] {
    var found: [(gpa: UInt64, level: Int, entries: [UInt64])] = []
    var waiting = [(gpa: cr3 & addressBits, level: levels)]
    var seen: Set<UInt64> = [waiting[0].gpa]
    while let (gpa, level) = waiting.popLast() {
      guard let bytes = read(gpa) else { continue }
      let entries = (0..<entryCount).map { bytes.word(at: 8 * $0) }
      found.append((gpa, level, entries))
      for entry in entries where entry & 1 != 0 && !mapsPage(entry, level) && seen.insert(entry & addressBits).inserted {
        waiting.append((entry & addressBits, level - 1))
      }
    }
    return found
  }
}
