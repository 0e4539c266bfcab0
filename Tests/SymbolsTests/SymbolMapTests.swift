import Symbols
import TestSeeds
import Testing

/// System.map, /proc/kallsyms and nm's output, and what is none of them.
struct SymbolMapTests {
  private func names(_ text: String) throws -> [String] {
    let symbols = try SymbolTableTests.map(text)
    return symbols.table.symbols.map { symbols.place(rip: $0.address)?.text ?? "-" }
  }

  @Test func theFormsOfALine() throws {
    #expect(try names("0000000000100000 T start") == ["start"])
    #expect(try names("100000 t start\r\n\n100010 b data\r\n") == ["start", "data"])
    #expect(try names("0000000000100000 0000000000000010 T start\n") == ["start"])
    #expect(try names("                 U printf\n                 w __gmon_start__\n100000 T main\n") == ["main"])
    #expect(try names("ffffffffc0000000 t nf_init\t[nf_tables]\nffffffffc0000100 t next\t[nf_tables]\n") == ["nf_init [nf_tables]", "next [nf_tables]"])
    #expect(try names("1000 T Queue::push(int, char)\n") == ["Queue::push(int, char)"])
    let modules = try SymbolTableTests.map("ffffffffc0000000 t nf_init\t[nf]\nffffffffc0000100 t next\t[nf]")
    #expect(modules.place(rip: 0xffff_ffff_c000_0012)?.text == "nf_init+0x12 [nf]")
  }

  @Test func constantsAreNoPlaces() throws {
    #expect(try names("1000 A constant\n1000 T start\n2000 a other\n3000 C common\n4000 N debug\n") == ["start"])
    #expect(throws: SymbolError.self) { try names("1000 A constant\n") }
  }

  @Test func controlCharactersAreNotPrinted() throws {
    #expect(try names("1000 T \u{1b}[31mred\u{9b}x\n") == ["\u{fffd}[31mred\u{fffd}x"])
    #expect(try names("1000 T " + String(repeating: "n", count: 3000) + "\n") == [String(repeating: "n", count: 1024) + "…"])
  }

  @Test(arguments: [
    (
      "1000 T start\n2000 T\n", "line 2: expected an address, a letter and a name, as in 'ffffffff81000000 T _text', found \"2000 T\""
    ),
    ("start\n", "line 1: "), ("1000\n", "line 1: "), ("xyz T start\n", "line 1: "), ("10000000000000000 T start\n", "line 1: "),
    ("1000 ? start\n1000 Y start\n", "line 2: "), ("1000 zz T start\n", "line 1: "), (" 1000 T start\n", "line 1: "), ("1000 10 10 T start\n", "line 1: "),
    ("\u{1f}\u{8b}\u{8}\n", "line 1: "), ("", "it holds no symbol"), ("\n\n", "it holds no symbol"),
    ("ffffffffffffffff B The real System.map is in the linux-image-6.1.0-1-cloud-amd64-dbg package\n", "line 1: it stands in for another file"),
    ("0000000000000000 T _text\n0000000000000000 t x\t[m]\n", "all addresses are 0: "),
  ]) func whatIsNoMapIsRefused(text: String, said: String) throws {
    let error = #expect(throws: SymbolError.self) { try SymbolTableTests.map(text) }
    #expect(error?.description.hasPrefix(said) == true, "\(error?.description ?? "")")
  }

  /// Bytes of a map replaced, cut out and doubled: read or refused.
  @Test func anyDamageIsAnswered() throws {
    let good = Array(
      "ffffffff81000000 T _text\nffffffff81000010 0000000000000020 t inner\nffffffffc0000000 d x\t[mod]\n                 U printf\n".utf8)
    var random = Seed(Seed.base(72))
    var (read, refused) = (0, 0)
    for _ in 0..<4000 {
      var bytes = good
      for _ in 0..<random.below(4) + 1 {
        let at = random.below(bytes.count)
        switch random.below(4) {
        case 0: bytes[at] = UInt8(random.below(256))
        case 1: bytes.removeSubrange(at..<min(bytes.count, at + random.below(8)))
        case 2: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + random.below(30))], at: at)
        default: bytes[at] = Array("\n\t 0f".utf8)[random.below(5)]
        }
        if bytes.isEmpty { bytes = [0x20] }
      }
      do {
        let symbols = try GuestSymbols(map: bytes, offset: random.chance(50) ? random.next() : nil)
        for symbol in symbols.table.symbols {
          _ = symbols.table.extent(of: symbol)
          _ = symbols.gpa(of: symbol.address)
          for address in [symbol.address, symbol.address &+ 1, symbol.address &- 1, random.next()] {
            _ = symbols.place(rip: address)?.text
            _ = symbols.place(gpa: address)?.text
          }
        }
        read += 1
      } catch { refused += 1 }
    }
    #expect(read > 100 && refused > 100)
  }
}

extension SymbolMapTests {
  /// A module's code lies beyond the image, and is nowhere that a constant could tell.
  @Test func aKernelsImageIsWhereItsLoaderPutsIt() throws {
    let map = """
      ffffffff81000000 T _text
      ffffffff81000000 T startup_64
      ffffffff81000100 T _stext
      ffffffff81000200 t twin
      ffffffff81200000 T _etext
      ffffffff81400000 B _end
      ffffffffa0000000 t module_init	[module]

      """
    let symbols = try SymbolTableTests.map(map)
    #expect(symbols.place(gpa: 0x100_0204)?.text == "twin+0x4")
    #expect(symbols.gpa(of: 0xffff_ffff_8100_0200) == 0x100_0200)
    #expect(symbols.place(gpa: 0x2000_0000) == nil)
    #expect(symbols.gpa(of: 0xffff_ffff_a000_0000) == nil)
    #expect(symbols.place(rip: 0xffff_ffff_a000_0000)?.text == "module_init [module]")
    // What is said counts more.
    #expect(try SymbolTableTests.map(map, offset: 0xffff_ffff_8100_0000).gpa(of: 0xffff_ffff_8100_0200) == 0x200)
    // Other programs' labels say nothing.
    #expect(try SymbolTableTests.map("1000 T _text\n2000 T _end\n").gpa(of: 0x1800) == 0x1800)
    #expect(try SymbolTableTests.map("ffffffff81000000 T _text\nffffffff81000010 T x\n").gpa(of: 0xffff_ffff_8100_0010) == nil)
  }
}
