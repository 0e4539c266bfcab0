import LinuxBoot

/// A bzImage of a test's own: a setup header, and a payload.
struct TestKernel {
  var version: UInt16 = 0x20f
  var loadFlags: UInt16 = 1
  var payload: [UInt8] = []
  var preferredAddress: UInt64 = 0x100_0000
  var initSize: UInt64 = 0x20_0000
  var headerEnd: UInt8 = 0x6a
  var sectors: UInt8 = 1
  static let payloadOffset = 0x300

  var bytes: [UInt8] {
    var file = [UInt8](repeating: 0, count: (Int(sectors) + 1) * 512 + Self.payloadOffset)
    func put(_ value: UInt64, _ count: Int, at offset: Int) {
      for index in 0..<count { file[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
    file[0x1f1] = sectors
    put(0xaa55, 2, at: 0x1fe)
    file[0x200] = 0xeb
    file[0x201] = headerEnd
    file.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
    put(UInt64(version), 2, at: 0x206)
    put(0x7fff_ffff, 4, at: 0x22c)
    put(0x20_0000, 4, at: 0x230)
    file[0x234] = 1
    put(UInt64(loadFlags), 2, at: 0x236)
    put(2047, 4, at: 0x238)
    put(UInt64(Self.payloadOffset), 4, at: 0x248)
    put(UInt64(payload.count), 4, at: 0x24c)
    put(preferredAddress, 8, at: 0x258)
    put(initSize, 4, at: 0x260)
    return file + payload
  }

  /// An ELF64 with a segment for each.
  static func elf(entry: UInt64, _ segments: [(gpa: UInt64, bytes: [UInt8], memorySize: UInt64)]) -> [UInt8] {
    var file = [UInt8](repeating: 0, count: 64 + 56 * segments.count)
    func put(_ value: UInt64, _ count: Int, at offset: Int) {
      for index in 0..<count { file[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
    file.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
    put(2, 2, at: 16)
    put(62, 2, at: 18)
    put(entry, 8, at: 24)
    put(64, 8, at: 32)
    put(56, 2, at: 54)
    put(UInt64(segments.count), 2, at: 56)
    var end = file.count
    for (index, segment) in segments.enumerated() {
      let at = 64 + 56 * index
      put(1, 4, at: at)
      put(UInt64(end), 8, at: at + 8)
      put(0xffff_ffff_8000_0000 | segment.gpa, 8, at: at + 16)
      put(segment.gpa, 8, at: at + 24)
      put(UInt64(segment.bytes.count), 8, at: at + 32)
      put(segment.memorySize, 8, at: at + 40)
      end += segment.bytes.count
    }
    return file + segments.flatMap(\.bytes)
  }

  /// As `lz4 -l` would pack bytes that it finds nothing to save in: one sequence of literals.
  static func lz4(_ bytes: [UInt8]) -> [UInt8] {
    var block: [UInt8] = [UInt8(min(bytes.count, 15)) << 4]
    if bytes.count >= 15 {
      block += [UInt8](repeating: 255, count: (bytes.count - 15) / 255) + [UInt8((bytes.count - 15) % 255)]
    }
    return lz4(blocks: [block + bytes], size: bytes.count)
  }

  static func lz4(blocks: [[UInt8]], size: Int) -> [UInt8] {
    var out: [UInt8] = [0x02, 0x21, 0x4c, 0x18]
    for block in blocks { out += word(block.count) + block }
    return out + word(size)
  }

  static func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
}

/// A little-endian number in a page of a test.
func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
  (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
}
