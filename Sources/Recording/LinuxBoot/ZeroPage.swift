/// `struct boot_params`, the page in which a boot loader tells a kernel what it is to know (Linux, Documentation/arch/x86/zero-page.rst).
struct ZeroPage {
  private var page = [UInt8](repeating: 0, count: 4096)
  /// As many as there is room for in the page.
  private static let memoryMapLimit = 128

  init(_ header: SetupHeader?) {
    if let header { put(header.bytes, at: SetupHeader.copyOffset) } else { putPlainHeader() }
    // A boot loader without a number of its own.
    page[0x210] = 0xff
    // Loaded at 1 MiB or above.
    page[0x211] |= 1
  }

  /// What a kernel looks for that came without a header.
  private mutating func putPlainHeader() {
    put([0x55, 0xaa], at: 0x1fe)
    put(Array("HdrS".utf8), at: 0x202)
    put(littleEndian(UInt64(SetupHeader.minimumVersion), 2), at: 0x206)
  }

  mutating func set(commandLine gpa: UInt64) {
    put(littleEndian(gpa, 4), at: 0x228)
    put(littleEndian(gpa >> 32, 4), at: 0xc8)
  }

  /// Where ACPI's root pointer is, for kernels that do not search (boot protocol 2.14 and later; others find it).
  mutating func set(acpiPointer gpa: UInt64) { put(littleEndian(gpa, 8), at: 0x70) }

  mutating func set(initrd gpa: UInt64, count: Int) {
    put(littleEndian(gpa, 4), at: 0x218)
    put(littleEndian(UInt64(count), 4), at: 0x21c)
    put(littleEndian(gpa >> 32, 4), at: 0xc0)
    put(littleEndian(UInt64(count) >> 32, 4), at: 0xc4)
  }

  mutating func set(_ map: MemoryMap) {
    precondition(map.ranges.count <= Self.memoryMapLimit, "a memory map that the zero page has room for")
    page[0x1e8] = UInt8(map.ranges.count)
    put(map.bytes, at: 0x2d0)
  }

  var bytes: [UInt8] { page }

  private mutating func put(_ bytes: [UInt8], at offset: Int) { page.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
}
