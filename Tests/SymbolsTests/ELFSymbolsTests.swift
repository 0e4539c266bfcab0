import ELFFormat
import Foundation
import Symbols
import TestSeeds
import Testing

/// Symbols of ELF files, good ones and bad ones.
struct ELFSymbolsTests {
  private func symbols(_ elf: TestELF, offset: UInt64? = nil) throws -> GuestSymbols { try GuestSymbols(elf: ELFInput(elf.bytes), offset: offset) }

  @Test func functionsObjectsAndLabelsArePlaces() throws {
    let symbols = try symbols(
      TestELF(symbols: [
        .init(name: "main", address: 0x10_0000, size: 0x20), .init(name: "table", address: 0x10_0100, size: 16, type: 1),
        .init(name: "label", address: 0x10_0200, type: 0, binding: 0), .init(name: "chosen", address: 0x10_0300, size: 4, type: 10),
        .init(name: "main.c", address: 0x10_0210, type: 4), .init(name: "a_section", address: 0x10_0220, type: 3),
        .init(name: "per_thread", address: 0x10_0230, size: 8, type: 6), .init(name: "$x", address: 0x10_0240, type: 0),
        .init(name: "constant", address: 0x10_0250, type: 0, section: 0xfff1), .init(name: "undefined", address: 0, section: 0),
        .init(name: "debugging", address: 0x10_0260, section: 2), .init(name: "of_no_section", address: 0x10_0270, section: 77),
      ]))
    #expect(symbols.table.symbols.map { symbols.place(rip: $0.address)?.text } == ["main", "table", "label", "chosen"])
    #expect(symbols.place(rip: 0x10_001f)?.text == "main+0x1f")
    #expect(symbols.place(rip: 0x10_0020) == nil)
    #expect(symbols.place(rip: 0x10_02ff)?.text == "label+0xff")
  }

  @Test func aLabelEndsWithItsSection() throws {
    let symbols = try symbols(TestELF(symbols: [.init(name: "label", address: 0x10_0000, type: 0)], sectionEnd: 0x10_0800))
    #expect(symbols.place(rip: 0x10_07ff)?.text == "label+0x7ff")
    #expect(symbols.place(rip: 0x10_0800) == nil)
  }

  @Test func functionsGoBeforeLabelsAndGlobalOnesBeforeWeakAndLocal() throws {
    let symbols = try symbols(
      TestELF(symbols: [
        .init(name: "local", address: 0x10_0000, size: 8, binding: 0), .init(name: "weak", address: 0x10_0000, size: 8, binding: 2),
        .init(name: "label", address: 0x10_0000, size: 8, type: 0), .init(name: "global", address: 0x10_0000, size: 8),
      ]))
    #expect(symbols.place(rip: 0x10_0001)?.text == "global+0x1")
  }

  @Test func programHeadersSayWhereMemoryIs() throws {
    let elf = TestELF(
      symbols: [.init(name: "text", address: 0xffff_ffff_8100_0000, size: 16), .init(name: "data", address: 0xffff_ffff_8200_0000, size: 8, type: 1)],
      segments: [
        .init(virtual: 0xffff_ffff_8100_0000, physical: 0x100_0000, size: 0x1000), .init(virtual: 0xffff_ffff_8200_0000, physical: 0x280_0000, size: 0x1000),
        .init(virtual: 0, physical: 0x290_0000, size: 0x1000),
      ])
    let symbols = try symbols(elf)
    #expect(symbols.place(gpa: 0x100_0004)?.text == "text+0x4")
    #expect(symbols.place(gpa: 0x280_0000)?.text == "data")
    #expect(symbols.place(gpa: 0x200_0000) == nil && symbols.place(gpa: 0x290_0000) == nil)
    #expect(symbols.gpa(of: 0xffff_ffff_8200_0004) == 0x280_0004)
    #expect(symbols.gpa(of: 0xffff_ffff_8200_1000) == nil)
    // What the user says counts.
    let moved = try self.symbols(elf, offset: 0xffff_ffff_7000_0000)
    #expect(moved.place(gpa: 0x1100_0000)?.text == "text" && moved.place(gpa: 0x100_0000) == nil)
    // Of a range the part that each header has.
    #expect(symbols.gpas(of: 0xffff_ffff_8100_0ff0...0xffff_ffff_8200_000f) == [0x100_0ff0...0x100_0fff, 0x280_0000...0x280_000f])
    #expect(symbols.gpas(of: 0xffff_ffff_8100_1000...0xffff_ffff_81ff_ffff).isEmpty)
    // Two headers that put one physical address at two places say nothing of it.
    var ambiguous = elf
    ambiguous.segments[1].physical = 0x100_0000
    #expect(try self.symbols(ambiguous).place(gpa: 0x100_0000) == nil)
  }

  @Test func theDynamicOnesServeWhereThereAreNoOthers() throws {
    let elf = TestELF(symbols: [.init(name: "exported", address: 0x10_0000, size: 4)], table: 11)
    #expect(try symbols(elf).place(rip: 0x10_0003)?.text == "exported+0x3")
    let none = #expect(throws: SymbolError.self) { try self.symbols(TestELF(symbols: [])) }
    #expect(none?.description.contains("stripped") == true)
  }

  /// What is mapped where in this process. All of it: a file of /proc has no size, and who asks for that first may stop early.
  private static func memoryMap() throws -> String {
    // SAFETY: the file is ours, and closed once; at most as many bytes are read as there is room for.
    let file = unsafe fopen("/proc/self/maps", "r")
    try #require(unsafe file != nil)
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = unsafe fread(&chunk, 1, 1 << 16, file), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The C library, where the dynamic linker says where its functions are.
  @Test func theCLibrarysOwnFunctions() throws {
    // SAFETY: the symbol is looked up, not called.
    let address = try #require(unsafe dlsym(nil, "fgetpos").map { UInt64(UInt(bitPattern: $0)) })
    let maps = try Self.memoryMap().split(separator: "\n").map { $0.split(separator: " ") }
    // Other files may be mapped between the library's parts: its own parts are those of the file that the function is in.
    func bounds(_ line: [Substring]) -> [UInt64] { line[0].split(separator: "-").compactMap { UInt64($0, radix: 16) } }
    let code = try #require(maps.first { $0.count == 6 && bounds($0)[0] <= address && address < bounds($0)[1] })
    let head = try #require(maps.first { $0.count == 6 && $0[5] == code[5] && $0[2] == "00000000" })
    let offset = address - bounds(head)[0]
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: String(code[5])))
    let input = ELFInput(size: try file.seekToEnd()) { offset, count in
      try? file.seek(toOffset: offset)
      return Array((try? file.read(upToCount: count)) ?? Data())
    }
    let symbols = try GuestSymbols(elf: input)
    #expect(symbols.table.symbols.count > 1000)
    #expect(symbols.table.symbols(named: "fgetpos").contains { $0.address == offset })
    #expect(symbols.place(rip: offset)?.offset == 0)
    #expect(symbols.place(rip: offset)?.symbol.contains("fgetpos") == true)
  }

  @Test func whatEndsPastTheFileIsSaid() throws {
    let good = TestELF(symbols: [.init(name: "main", address: 0x10_0000)]).bytes
    // The header of the names' section: after the header, one program header and four sections.
    let strings = 64 + 56 + 4 * 64
    var bytes = good
    bytes[strings + 32 + 3] = 1
    let error = #expect(throws: SymbolError.self) { try GuestSymbols(elf: ELFInput(bytes)) }
    #expect(error?.place == .offset(UInt64(strings)) && error?.detail.contains("end past the file's") == true, "\(error?.description ?? "")")
    bytes = good
    bytes[strings + 32 + 4] = 1
    let large = #expect(throws: SymbolError.self) { try GuestSymbols(elf: ELFInput(bytes)) }
    #expect(large?.detail.contains("at most") == true, "\(large?.description ?? "")")
    // A file that becomes shorter while it is read.
    let shrinking = ELFInput(size: UInt64(good.count)) { at, count in Array(good[Int(at)..<Int(at) + count / 2]) }
    let shrunk = #expect(throws: SymbolError.self) { try GuestSymbols(elf: shrinking) }
    #expect(shrunk?.detail.contains("shorter") == true)
  }

  /// Cut anywhere, and with any bytes replaced, a file is read or refused.
  @Test func anyDamageIsAnswered() throws {
    let good = TestELF(symbols: (0..<6).map { .init(name: "symbol\($0)", address: 0x10_0000 + UInt64($0) * 0x30, size: $0 % 2 == 0 ? 0x40 : 0) }).bytes
    for count in 0..<good.count {
      #expect(throws: Never.self) { try? self.look(Array(good[..<count])) }
    }
    var random = Seed(Seed.base(73))
    var (read, refused) = (0, 0)
    for _ in 0..<6000 {
      var bytes = good
      for _ in 0..<random.below(4) + 1 {
        let at = random.below(bytes.count)
        bytes[at] = random.chance(50) ? UInt8(random.below(256)) : [0, 1, 0x7f, 0x80, 0xff][random.below(5)]
      }
      do {
        try look(bytes)
        read += 1
      } catch is SymbolError { refused += 1 }
    }
    #expect(read > 100 && refused > 100)
  }

  private func look(_ bytes: [UInt8]) throws {
    let symbols = try GuestSymbols(elf: ELFInput(bytes))
    for symbol in symbols.table.symbols {
      _ = symbols.table.extent(of: symbol)
      for address in [symbol.address, symbol.address &+ symbol.size, symbol.address &- 1] {
        _ = symbols.place(rip: address)?.text
        _ = symbols.place(gpa: address)?.text
        _ = symbols.gpa(of: address)
      }
    }
  }
}
