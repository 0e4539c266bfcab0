/// What the loader puts into guest memory before the first instruction, and where. The map is in `pagetape_abi.h`.
///
///     0x0000_1000  PML4                    one entry
///     0x0000_2000  PDPT                    four entries
///     0x0000_3000  4 page directories      2 MiB pages, 0 to 4 GiB identity-mapped
///     0x0000_7000  GDT                     null, code 0x08, data 0x10
///     0x0000_8000  free for the guest
///     0x0010_0000  images are loaded from here up
///     end of RAM   stacks                  16 KiB a vCPU, vCPU 0's the highest
///
/// Accessed and dirty bits are preset in every table entry and descriptor: a CPU never writes to these pages by itself, so they can be
/// write-traced (KVM cannot set those bits in a read-only memslot, and a page-table write that no instruction made would confuse a trace).
public enum BootMemory {
  public static let pageSize: UInt64 = 4096
  public static let pageTables: UInt64 = 0x1000
  public static let globalDescriptors: UInt64 = 0x7000
  /// Where the tables end; the guest may use what is between here and `imageBase` as it likes.
  public static let tablesEnd: UInt64 = 0x8000
  public static let imageBase: UInt64 = 0x10_0000
  public static let stackSize: UInt64 = 0x4000
  public static let maximumVCPUs = 64
  /// RAM sizes that leave room for 64 stacks and an image, and stay below the special region. A size is a whole number of pages.
  public static let minimumRAM: UInt64 = 4 << 20
  public static let maximumRAM: UInt64 = 0x7000_0000
  public static let defaultRAM: UInt64 = 16 << 20

  static let entryFlags: UInt64 = 0x23  // present, writable, accessed
  static let largePageFlags: UInt64 = 0xe3  // present, writable, accessed, dirty, 2 MiB

  /// Where the stack of `vcpu` ends: its first RSP.
  public static func stackTop(vcpu: Int, ramBytes: UInt64) -> UInt64 {
    ramBytes - UInt64(vcpu) * stackSize
  }

  /// What the loader and the stacks take, so that no image may lie there.
  public static func reserved(vcpuCount: Int, ramBytes: UInt64) -> [Range<UInt64>] {
    [0..<tablesEnd, (ramBytes - UInt64(vcpuCount) * stackSize)..<ramBytes]
  }

  /// The six pages of tables, to be put at `pageTables`.
  public static var pageTableBytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(6 * 4096)
    let directories = pageTables + 2 * pageSize
    bytes.appendTable([pageTables + pageSize | entryFlags])
    bytes.appendTable((0..<4).map { directories + $0 * pageSize | entryFlags })
    for gigabyte in 0..<4 as Range<UInt64> {
      bytes.appendTable((0..<512).map { gigabyte << 30 | $0 << 21 | largePageFlags })
    }
    return bytes
  }

  /// The descriptors, to be put at `globalDescriptors`.
  public static var globalDescriptorBytes: [UInt8] {
    var bytes: [UInt8] = []
    for descriptor in [0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff] as [UInt64] {
      bytes.append(littleEndian: descriptor)
    }
    return bytes
  }

  /// Everything to store, each with its address.
  public static var contents: [(gpa: UInt64, bytes: [UInt8])] {
    [(pageTables, pageTableBytes), (globalDescriptors, globalDescriptorBytes)]
  }
}

extension [UInt8] {
  fileprivate mutating func append(littleEndian value: UInt64) {
    for shift in stride(from: 0 as UInt64, to: 64, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// Appends a page of 512 entries, zero where none is given.
  fileprivate mutating func appendTable(_ entries: [UInt64]) {
    for entry in entries {
      append(littleEndian: entry)
    }
    append(contentsOf: repeatElement(0, count: 8 * (512 - entries.count)))
  }
}
