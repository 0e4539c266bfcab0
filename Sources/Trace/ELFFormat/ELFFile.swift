/// The headers of a linked ELF64 file for x86-64 (System V ABI, "Object Files"), read as untrusted input: every offset is checked before it is used.
public struct ELFFile: Sendable {
  public static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]

  /// A program header: what is loaded where.
  public struct Program: Sendable {
    public var type: UInt32
    public var fileOffset: UInt64
    public var virtual: UInt64
    public var physical: UInt64
    public var fileSize: UInt64
    public var memorySize: UInt64
    /// Where this program header lies in the file: for errors.
    public var headerOffset: UInt64

    public static let load: UInt32 = 1
    public static let dynamic: UInt32 = 2
    public static let interpreter: UInt32 = 3
  }

  public var entry: UInt64
  /// One at least.
  public var programs: [Program]
  /// Where the table of section headers lies, what an entry of it measures, and how many there are: as the file says, not checked.
  var sectionTable: (offset: UInt64, entrySize: UInt64, count: UInt64)

  private static let size = 64
  private static let programSize = 56
  private static let maximumPrograms = 256

  public init(_ input: ELFInput) throws(ELFError) {
    guard input.size >= UInt64(Self.size) else {
      throw ELFError(.truncated, offset: input.size, "the file ends inside the ELF header of 64 bytes")
    }
    let header = try input.bytes(at: 0, count: UInt64(Self.size), "the 64 bytes of the ELF header", header: 0)
    guard header.starts(with: Self.magic) else { throw ELFError(.unsupported, offset: 0, "expected an ELF file, which starts with 7f 45 4c 46") }
    try Self.expect(header, at: 4, count: 1, value: 2, "a 64-bit ELF (class 2)")
    try Self.expect(header, at: 5, count: 1, value: 1, "a little-endian ELF (data 1)")
    try Self.expect(header, at: 18, count: 2, value: 62, "machine 62 (x86-64)")
    let type = header.field(16, 2)
    guard type == 2 || type == 3 else {
      throw ELFError(.unsupported, offset: 16, "expected type 2 (executable) or 3 (static PIE), found \(type)")
    }
    entry = header.field(24, 8)
    sectionTable = (header.field(40, 8), header.field(58, 2), header.field(60, 2))
    programs = []
    let table = header.field(32, 8)
    let count = header.field(56, 2)
    guard count > 0 else { throw ELFError(.malformed, offset: 56, "expected program headers, found none") }
    guard count <= Self.maximumPrograms else {
      throw ELFError(.malformed, offset: 56, "expected at most \(Self.maximumPrograms) program headers, found \(count)")
    }
    try Self.expect(header, at: 54, count: 2, value: UInt64(Self.programSize), "program headers of 56 bytes")
    let bytes = try input.bytes(at: table, count: count * UInt64(Self.programSize), "\(count) program headers", header: 32)
    for at in stride(from: 0, to: bytes.count, by: Self.programSize) {
      programs.append(
        Program(
          type: UInt32(bytes.field(at, 4)), fileOffset: bytes.field(at + 8, 8), virtual: bytes.field(at + 16, 8), physical: bytes.field(at + 24, 8),
          fileSize: bytes.field(at + 32, 8), memorySize: bytes.field(at + 40, 8), headerOffset: table + UInt64(at)))
    }
  }

  private static func expect(_ bytes: [UInt8], at offset: Int, count: Int, value: UInt64, _ what: String) throws(ELFError) {
    let found = bytes.field(offset, count)
    guard found == value else { throw ELFError(.unsupported, offset: UInt64(offset), "expected \(what), found \(found)") }
  }
}
