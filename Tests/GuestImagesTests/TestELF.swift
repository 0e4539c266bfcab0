/// Builds ELF64 files, good ones and bad ones.
struct TestELF {
  struct Segment {
    var type: UInt32 = 1
    var gpa: UInt64
    var bytes: [UInt8]
    var memorySize: UInt64?
    /// Instead of where the bytes are.
    var fileOffset: UInt64?
    /// Instead of how many there are.
    var fileSize: UInt64?
  }

  var type: UInt16 = 2
  var machine: UInt16 = 62
  var elfClass: UInt8 = 2
  var entry: UInt64 = 0x10_0000
  var segments: [Segment]
  var programHeaderOffset: UInt64 = 64
  var programHeaderCount: UInt16?
  var programHeaderSize: UInt16 = 56

  var bytes: [UInt8] {
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, elfClass, 1, 1] + [UInt8](repeating: 0, count: 9)
    put(UInt64(type), 2, &file)
    put(UInt64(machine), 2, &file)
    put(1, 4, &file)
    put(entry, 8, &file)
    put(programHeaderOffset, 8, &file)
    put(0, 8, &file)
    put(0, 4, &file)
    put(64, 2, &file)
    put(UInt64(programHeaderSize), 2, &file)
    put(UInt64(programHeaderCount ?? UInt16(segments.count)), 2, &file)
    put(0, 6, &file)
    var offset = UInt64(64 + 56 * segments.count)
    for segment in segments {
      put(UInt64(segment.type), 4, &file)
      put(7, 4, &file)
      put(segment.fileOffset ?? offset, 8, &file)
      put(0xdead_0000, 8, &file)  // the virtual address, which does not count
      put(segment.gpa, 8, &file)
      put(segment.fileSize ?? UInt64(segment.bytes.count), 8, &file)
      put(segment.memorySize ?? UInt64(segment.bytes.count), 8, &file)
      put(4096, 8, &file)
      offset += UInt64(segment.bytes.count)
    }
    return file + segments.flatMap(\.bytes)
  }

  private func put(_ value: UInt64, _ count: Int, _ file: inout [UInt8]) {
    for index in 0..<count { file.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
  }
}
