/// Builds ELF64 files with symbols: the header, the program headers, the section headers, then symbols and their names.
struct TestELF {
  struct Symbol {
    var name: String
    var address: UInt64
    var size: UInt64 = 0
    /// 0 no type, 1 object, 2 function, 3 section, 4 file, 6 thread-local.
    var type: UInt8 = 2
    /// 0 local, 1 global, 2 weak.
    var binding: UInt8 = 1
    /// 1 is allocated and ends at `sectionEnd`, 2 is not allocated; 0xfff1: absolute.
    var section: UInt16 = 1
  }

  struct Segment {
    var virtual: UInt64
    var physical: UInt64
    var size: UInt64
  }

  var symbols: [Symbol]
  var segments = [Segment(virtual: 0x10_0000, physical: 0x10_0000, size: 0x10_0000)]
  var sectionEnd: UInt64 = 0x20_0000
  /// 2, or 11 for the dynamic ones.
  var table: UInt32 = 2

  var bytes: [UInt8] {
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    func put(_ value: UInt64, _ count: Int) {
      for index in 0..<count { file.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }
    let sectionTable = UInt64(64 + 56 * segments.count)
    let symbolTable = sectionTable + 5 * 64
    let names = symbolTable + 24 * UInt64(symbols.count + 1)
    for (value, count) in [(2, 2), (62, 2), (1, 4), (0x10_0000, 8), (64, 8), (sectionTable, 8), (0, 4), (64, 2), (56, 2)] as [(UInt64, Int)] {
      put(value, count)
    }
    for (value, count) in [(UInt64(segments.count), 2), (64, 2), (5, 2), (0, 2)] as [(UInt64, Int)] { put(value, count) }
    for segment in segments {
      put(1, 4)
      put(7, 4)
      for value in [0, segment.virtual, segment.physical, 0, segment.size, 4096] { put(value, 8) }
    }
    let nameBytes: [UInt8] = [0] + symbols.flatMap { symbol -> [UInt8] in Array(symbol.name.utf8) + [0] }
    let sections: [(type: UInt32, flags: UInt64, address: UInt64, offset: UInt64, size: UInt64, link: UInt32, entry: UInt64)] = [
      (0, 0, 0, 0, 0, 0, 0), (1, 6, 0x10_0000, 0, sectionEnd - 0x10_0000, 0, 0), (1, 0, 0, 0, 0x1000, 0, 0),
      (table, 0, 0, symbolTable, 24 * UInt64(symbols.count + 1), 4, 24), (3, 0, 0, names, UInt64(nameBytes.count), 0, 0),
    ]
    for section in sections {
      put(0, 4)
      put(UInt64(section.type), 4)
      for value in [section.flags, section.address, section.offset, section.size] { put(value, 8) }
      put(UInt64(section.link), 4)
      put(0, 4)
      put(1, 8)
      put(section.entry, 8)
    }
    file += [UInt8](repeating: 0, count: 24)
    var name = 1
    for symbol in symbols {
      put(UInt64(name), 4)
      put(UInt64(symbol.binding << 4 | symbol.type), 1)
      put(0, 1)
      put(UInt64(symbol.section), 2)
      put(symbol.address, 8)
      put(symbol.size, 8)
      name += symbol.name.utf8.count + 1
    }
    return file + nameBytes
  }
}
