/// The fields of an ELF64 file that a loader needs, read as untrusted input: every offset is checked before it is used.
struct ELFHeader {
  static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]

  struct Program {
    var type: UInt32
    var fileOffset: UInt64
    var physical: UInt64
    var fileSize: UInt64
    var memorySize: UInt64
    /// Where this program header lies in the file: for errors.
    var headerOffset: UInt64

    static let load: UInt32 = 1
    static let dynamic: UInt32 = 2
    static let interpreter: UInt32 = 3
  }

  var entry: UInt64
  var programs: [Program]

  private static let size = 64
  private static let programSize = 56
  private static let maximumPrograms = 256

  init(name: String, _ bytes: [UInt8]) throws(GuestImageError) {
    guard bytes.count >= Self.size else {
      throw GuestImageError(.truncated, file: name, offset: UInt64(bytes.count), detail: "the file ends inside the ELF header of 64 bytes")
    }
    try Self.expect(name, bytes, at: 4, count: 1, value: 2, "a 64-bit ELF (class 2)")
    try Self.expect(name, bytes, at: 5, count: 1, value: 1, "a little-endian ELF (data 1)")
    try Self.expect(name, bytes, at: 18, count: 2, value: 62, "machine 62 (x86-64)")
    let type = bytes.field(16, 2)
    guard type == 2 || type == 3 else {
      throw GuestImageError(.unsupported, file: name, offset: 16, detail: "expected type 2 (executable) or 3 (static PIE), found \(type)")
    }
    entry = bytes.field(24, 8)
    let table = bytes.field(32, 8)
    let count = bytes.field(56, 2)
    programs = []
    guard count > 0 else { throw GuestImageError(.malformed, file: name, offset: 56, detail: "expected program headers, found none") }
    guard count <= Self.maximumPrograms else {
      throw GuestImageError(.malformed, file: name, offset: 56, detail: "expected at most \(Self.maximumPrograms) program headers, found \(count)")
    }
    try Self.expect(name, bytes, at: 54, count: 2, value: UInt64(Self.programSize), "program headers of 56 bytes")
    let (end, overflow) = table.addingReportingOverflow(count * UInt64(Self.programSize))
    guard !overflow, end <= UInt64(bytes.count) else {
      throw GuestImageError(
        .truncated, file: name, offset: 32, detail: "\(count) program headers at \(hex(table)) end past the file's \(bytes.count) bytes")
    }
    for index in 0..<Int(count) {
      let at = Int(table) + index * Self.programSize
      programs.append(
        Program(
          type: UInt32(bytes.field(at, 4)), fileOffset: bytes.field(at + 8, 8), physical: bytes.field(at + 24, 8),
          fileSize: bytes.field(at + 32, 8), memorySize: bytes.field(at + 40, 8), headerOffset: UInt64(at)))
    }
  }

  private static func expect(
    _ name: String, _ bytes: [UInt8], at offset: Int, count: Int, value: UInt64, _ what: String
  ) throws(GuestImageError) {
    let found = bytes.field(offset, count)
    guard found == value else {
      throw GuestImageError(.unsupported, file: name, offset: UInt64(offset), detail: "expected \(what), found \(found)")
    }
  }
}

extension [UInt8] {
  /// A little-endian number of `count` bytes; the caller has checked that they are there.
  func field(_ offset: Int, _ count: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<count {
      value |= UInt64(self[offset + index]) << UInt64(8 * index)
    }
    return value
  }
}
