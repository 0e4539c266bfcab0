/// The on-page format of the protected-page tree (US20170337000A1): one node a page, little-endian.
///
/// Keys are guest frame numbers (GFN, address / 4096). An interior node holds up to 252 children, a leaf up to 126 mappings, so
/// that 252^4 * 126 > 2^36 pages are reached in 5 node visits.
///
///     node header, 64 bytes                      interior entry, 16 bytes    leaf entry, 32 bytes
///      0  u32  magic "PTND"                       0  u64  first GFN           0  u64  first GFN
///      4  u16  version, 1                         8  u64  GPA of the child    8  u64  page count; 0: unused entry
///      6  u8   level, 0 for a leaf, at most 4                                16  u16  first byte in the page
///      7  u8   alert action for writes to it                                 18  u16  end of the bytes, exclusive, at most 4096
///      8  u16  entry count                                                   20  u8   alert action
///     10  u16  reserved, 0                                                   21       reserved, 0 (3 bytes)
///     12  u32  reserved, 0                                                   24  u64  reserved, 0
///     16  u64  lowest GFN covered
///     24  u64  end of the GFNs covered, exclusive
///     32       reserved, 0 (32 bytes)
///
/// Entries ascend strictly. A child covers from its first GFN to the next entry's (the node's end for the last one), and says so
/// itself; its level is one less than its parent's. A byte range other than 0..<4096 is for entries of one page only; two entries may
/// share a page if their bytes do not meet.
/// A tree that may be walked at any moment must be a tree at every moment: writers publish a change by one store of at most 8 bytes
/// (an entry count, a child's address, a page count).
///
/// A write to a page that stores a node is a matter of that node's action alone, whatever mappings say. A write that touches several
/// mappings gets the most severe of their actions: terminate before suspend before deny before notify.
public enum TreeLayout {
  public static let magic: UInt32 = 0x444E_5450
  public static let version: UInt16 = 1
  public static let headerSize = 64
  public static let interiorEntrySize = 16
  public static let leafEntrySize = 32
  public static let interiorCapacity = (4096 - headerSize) / interiorEntrySize
  public static let leafCapacity = (4096 - headerSize) / leafEntrySize
  /// Node visits from the base node to a leaf, both counted.
  public static let maximumDepth = 5
  /// GFNs end here, exclusive: 2^40 pages, all that a 52-bit physical address can name.
  public static let gfnLimit: UInt64 = 1 << 40
}
