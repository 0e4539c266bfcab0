import GuestImages
import Testing
import X86

@Suite struct ELFImageTests {
  @Test func loadsByPhysicalAddress() throws {
    let elf = TestELF(
      entry: 0x10_0010,
      segments: [
        .init(gpa: 0x20_0000, bytes: [1, 2, 3], memorySize: 0x2000),
        .init(gpa: 0x10_0000, bytes: [UInt8](repeating: 0x90, count: 32)),
        .init(type: 0x6474_e551, gpa: 0, bytes: []),
      ])
    let image = try GuestImage(name: "two.elf", fileBytes: elf.bytes)
    #expect(image.segments.map(\.gpa) == [0x10_0000, 0x20_0000])
    #expect(image.segments[1].bytes == [1, 2, 3])
    #expect(image.segments[1].zeroFill == 0x1ffd)
    #expect(image.entry == 0x10_0010)
    #expect(image.memoryEnd == 0x20_2000)
    #expect(!image.hasHandler)
    #expect(!image.region.isEmpty)
    try image.check(vcpuCount: 1, ramBytes: BootMemory.minimumRAM)
  }

  @Test func regionSegmentsBecomeTheHandler() throws {
    let elf = TestELF(segments: [
      .init(gpa: 0x10_0000, bytes: [0xf4]),
      .init(gpa: 0x7000_0008, bytes: [7], memorySize: 3),
      .init(gpa: 0x7000_0000, bytes: [1, 2]),
    ])
    let image = try GuestImage(name: "region.elf", fileBytes: elf.bytes)
    #expect(image.segments.count == 1)
    #expect(image.hasHandler)
    #expect(image.region == [1, 2, 0, 0, 0, 0, 0, 0, 7, 0, 0])
  }

  @Test func refusesWhatCannotRun() {
    let code = TestELF.Segment(gpa: 0x10_0000, bytes: [UInt8](repeating: 0x90, count: 64))
    func expect(_ code: GuestImageError.Code, at offset: UInt64? = nil, _ elf: TestELF, _ what: Comment) {
      let error = #expect(throws: GuestImageError.self, what) { try GuestImage(name: "bad.elf", fileBytes: elf.bytes) }
      #expect(error?.code == code, what)
      #expect(error?.offset == offset, what)
      #expect(error?.description.hasPrefix("bad.elf: ") == true, what)
    }
    expect(.unsupported, at: 4, TestELF(elfClass: 1, segments: [code]), "32-bit")
    expect(.unsupported, at: 18, TestELF(machine: 183, segments: [code]), "AArch64")
    expect(.unsupported, at: 16, TestELF(type: 1, segments: [code]), "relocatable")
    expect(.unsupported, at: 54, TestELF(segments: [code], programHeaderSize: 32), "32-bit program headers")
    expect(.malformed, at: 56, TestELF(segments: []), "no program headers")
    expect(.malformed, at: 56, TestELF(segments: [code], programHeaderCount: 0xffff), "too many program headers")
    expect(.truncated, at: 32, TestELF(segments: [code], programHeaderCount: 9), "headers past the end")
    expect(.truncated, at: 32, TestELF(segments: [code], programHeaderOffset: .max - 3), "headers that wrap")
    expect(.unsupported, at: 120, TestELF(segments: [code, .init(type: 3, gpa: 0, bytes: [0x2f])]), "an interpreter")
    expect(.malformed, TestELF(segments: [.init(type: 4, gpa: 0x10_0000, bytes: [1])]), "nothing to load")
    expect(.outOfMemory, TestELF(entry: 0x10_0040, segments: [code]), "an entry point behind the segment")
    var bad = code
    bad.fileSize = 1 << 40
    bad.memorySize = 1 << 41
    expect(.truncated, at: 64, TestELF(segments: [bad]), "bytes past the end of the file")
    bad.fileSize = .max
    bad.memorySize = .max
    expect(.truncated, at: 64, TestELF(segments: [bad]), "bytes that wrap")
    bad = code
    bad.memorySize = 63
    expect(.malformed, at: 64, TestELF(segments: [bad]), "more in the file than in memory")
    bad.memorySize = .max - 0x1000
    expect(.outOfMemory, at: 64, TestELF(segments: [bad]), "memory that wraps")
    bad.memorySize = 1 << 33
    expect(.overlap, at: 64, TestELF(segments: [bad]), "memory across the region")
    expect(.outOfMemory, at: 64, TestELF(segments: [.init(gpa: 0x8000_0000, bytes: [1])]), "above the region")
    expect(.overlap, at: 64, TestELF(segments: [.init(gpa: 0x7fff, bytes: [1, 2])]), "in the GDT's page")
    expect(.overlap, at: 120, TestELF(segments: [code, .init(gpa: 0x700b_ffff, bytes: [1, 2])]), "into the region's stacks")
    expect(.malformed, TestELF(segments: [code, .init(gpa: 0x7000_0001, bytes: [1])]), "a handler that does not begin at the region's base")
    let handler = TestELF.Segment(gpa: 0x7000_0000, bytes: [1, 2])
    expect(.overlap, TestELF(segments: [code, handler, .init(gpa: 0x7000_0001, bytes: [1])]), "region segments that overlap")
    expect(.overlap, TestELF(segments: [code, .init(gpa: 0x10_003f, bytes: [1])]), "segments that overlap")
    let relocations: [UInt8] = [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0]
    // Two headers end at 176; the code has 64 bytes, the second entry of the dynamic section is 16 behind.
    expect(.unsupported, at: 176 + 64 + 16, TestELF(type: 3, segments: [code, .init(type: 2, gpa: 0, bytes: relocations)]), "relocations")
  }

  @Test func staticPIEWithoutRelocationsLoads() throws {
    let null = [UInt8](repeating: 0, count: 16)
    let elf = TestELF(type: 3, segments: [.init(gpa: 0x10_0000, bytes: [0xf4]), .init(type: 2, gpa: 0, bytes: null)])
    #expect(try GuestImage(name: "pie.elf", fileBytes: elf.bytes).segments.count == 1)
  }

  /// Cut anywhere and with any byte replaced, a file loads or is refused; it never crashes the loader.
  @Test func anyDamageIsAnswered() throws {
    let good = TestELF(segments: [
      .init(gpa: 0x10_0000, bytes: [0xf4, 0xf4]), .init(gpa: 0x7000_0000, bytes: [1], memorySize: 9),
      .init(type: 2, gpa: 0, bytes: [UInt8](repeating: 0, count: 16)),
    ]).bytes
    _ = try GuestImage(name: "good.elf", fileBytes: good)
    for count in 4..<good.count {
      #expect(throws: GuestImageError.self) { try GuestImage(name: "cut.elf", fileBytes: Array(good[..<count])) }
    }
    var refused = 0
    for index in good.indices {
      for value in [0, 1, 0x7f, 0x80, 0xff] as [UInt8] {
        var bytes = good
        bytes[index] = value
        do {
          let image = try GuestImage(name: "damaged.elf", fileBytes: bytes)
          #expect(image.memoryEnd <= BootMemory.maximumRAM)
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > 100)
  }
}
