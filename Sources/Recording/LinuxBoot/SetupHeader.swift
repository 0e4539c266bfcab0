import ELFFormat

/// The setup header of a bzImage (Linux, Documentation/arch/x86/boot.rst), read as untrusted input.
public struct SetupHeader: Hashable, Sendable {
  /// Of the boot protocol, major and minor in a byte each.
  public let version: UInt16
  /// Where the protected-mode part starts in the file.
  public let protectedModeOffset: Int
  /// The bytes that belong into the zero page, from `copyOffset` on.
  public let bytes: [UInt8]
  /// Where the packed kernel lies in the file.
  public let payload: Range<Int>
  /// Where the kernel would like to be, and what it asks of an address where it is put elsewhere.
  public let preferredAddress: UInt64
  public let alignment: UInt64
  public let isRelocatable: Bool
  /// Memory that it needs from its address on, before it has read the memory map.
  public let initSize: UInt64
  /// The highest address of the initial RAM disk's last byte.
  public let initrdLimit: UInt64
  /// The longest command line, without the zero that ends it.
  public let commandLineLimit: Int

  /// Where the header starts, in the file and in the zero page.
  public static let copyOffset = 0x1f1
  /// The first with a 64-bit entry point.
  static let minimumVersion: UInt16 = 0x20c
  private static let sectorSize = 512
  private static let fieldsEnd = 0x264
  private static let signature: [UInt8] = Array("HdrS".utf8)

  /// Whether a file starts as a bzImage does.
  public static func isPresent(in file: [UInt8]) -> Bool {
    file.count >= 0x206 && file[0x1fe] == 0x55 && file[0x1ff] == 0xaa && Array(file[0x202..<0x206]) == signature
  }

  public init(_ file: [UInt8]) throws(LinuxBootError) {
    guard Self.isPresent(in: file) else {
      throw LinuxBootError(.unsupported, offset: 0x1fe, "expected the boot flag 55 aa and the signature HdrS of a bzImage")
    }
    guard file.count >= Self.fieldsEnd else { throw LinuxBootError(.truncated, offset: UInt64(file.count), "the file ends inside the setup header") }
    version = UInt16(file.field(0x206, 2))
    guard version >= Self.minimumVersion else {
      throw LinuxBootError(.unsupported, offset: 0x206, "expected boot protocol 2.12 or later, found \(version >> 8).\(version & 0xff)")
    }
    guard file.field(0x236, 2) & 1 != 0 else { throw LinuxBootError(.unsupported, offset: 0x236, "expected a kernel with a 64-bit entry point") }
    let end = 0x202 + Int(file[0x201])
    guard end >= Self.fieldsEnd, end <= file.count else {
      throw LinuxBootError(.malformed, offset: 0x201, "expected a setup header that ends from 0x264 on, found \(hex(UInt64(end)))")
    }
    bytes = Array(file[Self.copyOffset..<end])
    let sectors = file[Self.copyOffset] == 0 ? 4 : Int(file[Self.copyOffset])
    protectedModeOffset = (sectors + 1) * Self.sectorSize
    guard protectedModeOffset < file.count else {
      throw LinuxBootError(.truncated, offset: 0x1f1, "\(sectors) sectors of setup code end past the file's \(file.count) bytes")
    }
    let (offset, length) = (Int(file.field(0x248, 4)), Int(file.field(0x24c, 4)))
    guard offset + length <= file.count - protectedModeOffset else {
      throw LinuxBootError(.truncated, offset: 0x248, "the packed kernel's \(length) bytes end past the file's \(file.count) bytes")
    }
    payload = protectedModeOffset + offset..<protectedModeOffset + offset + length
    preferredAddress = file.field(0x258, 8)
    guard preferredAddress < 1 << 40 else {
      throw LinuxBootError(.malformed, offset: 0x258, "the kernel's preferred address \(hex(preferredAddress)) is out of reach")
    }
    alignment = file.field(0x230, 4)
    isRelocatable = file[0x234] != 0
    initSize = file.field(0x260, 4)
    initrdLimit = file.field(0x22c, 4)
    commandLineLimit = Int(file.field(0x238, 4))
  }
}
