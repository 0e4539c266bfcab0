import Testing
import X86

/// What a CPU writes by itself, and where.
struct ImplicitBitsTests {
  @Test func descriptorsGetTheirAccessedBit() {
    // Code and data; those that are not present, and the system's, have none.
    #expect(ImplicitBits.preset(descriptor: 0x00af_9a00_0000_ffff) == 0x00af_9b00_0000_ffff)
    #expect(ImplicitBits.preset(descriptor: 0x00cf_f200_0000_ffff) == 0x00cf_f300_0000_ffff)
    for other in [0, 0x00cf_1200_0000_ffff, 0x0000_8900_d000_0067, 0x00af_9b00_0000_ffff] as [UInt64] {
      #expect(ImplicitBits.preset(descriptor: other) == other)
    }
  }

  @Test func entriesGetTheBitsOfTheirLevel() {
    #expect(ImplicitBits.preset(entry: 0x1003, level: 1) == 0x1063)
    #expect(ImplicitBits.preset(entry: 0x1001, level: 1) == 0x1021, "nobody can write there")
    #expect(ImplicitBits.preset(entry: 0x20_0083, level: 2) == 0x20_00e3)
    #expect(ImplicitBits.preset(entry: 0x1003, level: 2) == 0x1023, "it leads to a table")
    #expect(ImplicitBits.preset(entry: 0x4000_0083, level: 3) == 0x4000_00e3)
    #expect(ImplicitBits.preset(entry: 0x1082, level: 1) == 0x1082, "not present")
  }

  /// Four levels, a large page, a table that two entries lead to, one that leads to itself, and one where no memory is.
  @Test func tablesAreFoundOnce() {
    var pages: [UInt64: [UInt64]] = [:]
    pages[0x1000] = [0x2003, 0x2003, 0x1003, 0x9000_0003]
    pages[0x2000] = [0x3003, 0x4000_0083]
    pages[0x3000] = [0x20_0083, 0x4003, 0x5002]
    pages[0x4000] = [0x5003]
    pages[0x5000] = []
    let found = ImplicitBits.tables(cr3: 0x1008, levels: 4) { gpa in
      guard let entries = pages[gpa] else { return nil }
      let all = entries + Array(repeating: 0, count: 512 - entries.count)
      return all.flatMap { entry in (0..<8).map { UInt8(truncatingIfNeeded: entry >> (8 * $0)) } }
    }
    #expect(found.sorted { $0.gpa < $1.gpa }.map(\.gpa) == [0x1000, 0x2000, 0x3000, 0x4000])
    #expect(found.sorted { $0.gpa < $1.gpa }.map(\.level) == [4, 3, 2, 1])
    #expect(found.first { $0.gpa == 0x3000 }?.entries.prefix(4) == [0x20_0083, 0x4003, 0x5002, 0])
  }

  @Test func aTaskNamesItsStacks() throws {
    var bytes = [UInt8](repeating: 0, count: TaskStacks.size)
    bytes[4] = 0x10  // RSP0
    bytes[12] = 0x20  // RSP1
    for number in 1...7 { bytes[36 + 8 * (number - 1) + 1] = UInt8(number) }
    let stacks = try #require(TaskStacks(bytes))
    #expect(stacks.ring0 == 0x10)
    #expect(stacks.byNumber == (1...7).map { $0 << 8 })
    #expect(TaskStacks(Array(bytes.dropLast())) == nil)
  }
}
