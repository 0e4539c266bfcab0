import Symbols
import TestSeeds
import Testing

/// Which name an address gets.
struct SymbolTableTests {
  static func map(_ text: String, offset: UInt64? = nil) throws -> GuestSymbols { try GuestSymbols(map: Array(text.utf8), offset: offset) }

  private func name(_ symbols: GuestSymbols, _ address: UInt64) -> String? { symbols.place(rip: address)?.text }

  @Test func withoutSizesASymbolReachesToTheNext() throws {
    let symbols = try Self.map("1000 T first\n1010 t second\n3000 D third\n")
    #expect(name(symbols, 0xfff) == nil)
    #expect(name(symbols, 0x1000) == "first")
    #expect(name(symbols, 0x100f) == "first+0xf")
    #expect(name(symbols, 0x1010) == "second")
    #expect(name(symbols, 0x2fff) == "second+0x1fef")
    #expect(name(symbols, 0x3000) == "third")
    // Nothing says where it ends.
    #expect(name(symbols, 0x3001) == nil)
  }

  @Test func noGuessIsLongerThanItsBound() throws {
    let symbols = try Self.map("1000 T first\n80000000 T far\n")
    #expect(name(symbols, 0x1000 + SymbolTable.longestGuess - 1) != nil)
    #expect(name(symbols, 0x1000 + SymbolTable.longestGuess) == nil)
    #expect(name(symbols, 0x7fff_ffff) == nil)
  }

  @Test(arguments: ["_end", "end", "_etext", "etext", "_edata", "edata"]) func endMarksNameNothing(mark: String) throws {
    let symbols = try Self.map("1000 T first\n1100 T \(mark)\n1180 D data\n11c0 D more\n")
    #expect(name(symbols, 0x10ff) == "first+0xff")
    #expect(name(symbols, 0x1100) == nil)
    #expect(name(symbols, 0x117f) == nil)
    #expect(name(symbols, 0x1180) == "data")
  }

  @Test func aSizeIsTheEnd() throws {
    let symbols = try Self.map("1000 10 T first\n1020 8 D data\n1040 T guessed\n1050 4 T inner\n1060 T last\n")
    #expect(name(symbols, 0x100f) == "first+0xf")
    #expect(name(symbols, 0x1010) == nil)
    #expect(name(symbols, 0x1027) == "data+0x7")
    #expect(name(symbols, 0x1028) == nil)
    #expect(name(symbols, 0x104f) == "guessed+0xf")
    #expect(name(symbols, 0x1053) == "inner+0x3")
    #expect(name(symbols, 0x1054) == nil)
  }

  @Test func ofNestedSymbolsTheInnermostNames() throws {
    let symbols = try Self.map("1000 100 T outer\n1020 40 t inner\n1030 10 t innermost\n1050 t label\n1080 100 T across\n")
    #expect(name(symbols, 0x101f) == "outer+0x1f")
    #expect(name(symbols, 0x1020) == "inner")
    #expect(name(symbols, 0x103f) == "innermost+0xf")
    #expect(name(symbols, 0x1040) == "inner+0x20")
    // A label of no size inside a function is not where one looks for it.
    #expect(name(symbols, 0x1050) == "inner+0x30")
    #expect(name(symbols, 0x1060) == "outer+0x60")
    #expect(name(symbols, 0x117f) == "across+0xff")
    #expect(name(symbols, 0x1180) == nil)
  }

  @Test func ofAliasesTheOneMeantForOutsideNames() throws {
    let symbols = try Self.map(
      "1000 t static_one\n1000 T __global\n1000 T _global\n1000 W weak\n2000 T _stext\n2000 T startup_64\n3000 T z\n3000 T a\n4000 T e\n")
    #expect(name(symbols, 0x1004) == "_global+0x4")
    #expect(name(symbols, 0x2000) == "startup_64")
    #expect(name(symbols, 0x3000) == "z")
    #expect(symbols.table.symbols(named: "weak").map(\.address) == [0x1000])
  }

  @Test func theLastAddressesAreAddresses() throws {
    let symbols = try Self.map("fffffffffffffff0 T nearly\nffffffffffffffff T last\n")
    #expect(name(symbols, .max) == "last")
    #expect(name(symbols, .max - 1) == "nearly+0xe")
    let wide = try Self.map("fffffffffffffff0 ffffffffffffffff T wide\nfffffffffffffff8 2 T inner\n")
    #expect(name(wide, .max) == "wide+0xf")
    #expect(name(wide, .max - 7) == "inner")
    #expect(try name(Self.map("0 ffffffffffffffff T all\n0 t inside\n5 t more\n"), 0) == "all")
  }

  @Test func aSymbolKnowsItsExtent() throws {
    let table = try Self.map("1000 T first\n1010 8 D counter\n1030 T last\n").table
    #expect(table.symbols(named: "first").map(table.extent) == [0x10])
    #expect(table.symbols(named: "counter").map(table.extent) == [8])
    #expect(table.symbols(named: "last").map(table.extent) == [1])
    let extents = table.extents(named: ["first", "counter", "la", ""], limit: 2)
    #expect(extents.mapValues { $0.map(\.addresses) } == ["first": [0x1000...0x100f], "counter": [0x1010...0x1017]])
    #expect(table.symbols(named: "la").isEmpty && table.symbols(named: "lastly").isEmpty && table.symbols(named: "").isEmpty)
  }

  // MARK: Physical addresses

  @Test func mappedOneToOneBothAddressesAgree() throws {
    let symbols = try Self.map("100000 T start\n200000 D shared\n200010 D end_of_it\n")
    #expect(symbols.place(gpa: 0x20_0008)?.text == "shared+0x8")
    #expect(symbols.gpa(of: 0x20_0000) == 0x20_0000)
  }

  @Test func aKernelsOffsetIsSaid() throws {
    let text = "ffffffff81000000 T startup_64\nffffffff81000040 t verify\nffffffff82a05000 D jiffies\nffffffff82a05008 D other\n"
    let silent = try Self.map(text)
    #expect(silent.place(rip: 0xffff_ffff_8100_0042)?.text == "verify+0x2")
    #expect(silent.place(gpa: 0x100_0000) == nil && silent.gpa(of: 0xffff_ffff_82a0_5000) == nil)
    let told = try Self.map(text, offset: 0xffff_ffff_8000_0000)
    #expect(told.place(gpa: 0x100_0000)?.text == "startup_64")
    #expect(told.place(gpa: 0x2a0_5004)?.text == "jiffies+0x4")
    #expect(told.gpa(of: 0xffff_ffff_82a0_5000) == 0x2a0_5000)
    #expect(told.gpas(of: 0xffff_ffff_82a0_5000...0xffff_ffff_82a0_5007) == [0x2a0_5000...0x2a0_5007])
    #expect(silent.gpas(of: 0xffff_ffff_82a0_5000...0xffff_ffff_82a0_5007).isEmpty)
    // A program of the guest's, or a kernel before it has set up its memory.
    #expect(told.place(rip: 0x100_0000) == nil)
  }

  @Test func perCPUOffsetsOfAKernelAreNoPlaces() throws {
    let symbols = try Self.map("0000000000000000 D __per_cpu_start\n0000000000001000 D cpu_debug_store\nffffffff81000000 T _text\nffffffff81000010 T x\n")
    #expect(symbols.place(rip: 0x1008) == nil && symbols.table.symbols.count == 2)
  }

  // MARK: Against a plain search

  /// The rule as it is documented, byte by byte.
  private struct Model {
    var symbols: [(address: UInt64, size: UInt64)]

    func place(_ address: UInt64) -> (UInt64, offset: UInt64)? {
      let sized = symbols.filter { $0.size > 0 && $0.address <= address && address - $0.address < $0.size }
      // The one that starts last, and of those the shortest.
      if let inner = sized.max(by: { ($0.address, $1.size) < ($1.address, $0.size) }) { return (inner.address, address - inner.address) }
      guard let near = symbols.map(\.address).filter({ $0 <= address }).max() else { return nil }
      let here = symbols.filter { $0.address == near }
      let isCovered = symbols.contains { $0.size > 0 && $0.address <= near && near - $0.address < $0.size }
      guard here.allSatisfy({ $0.size == 0 }), !isCovered else { return nil }
      let isLast = !symbols.contains { $0.address > near }
      return !isLast || address == near ? (near, address - near) : nil
    }
  }

  @Test func asAPlainSearchFinds() throws {
    var random = Seed(Seed.base(71))
    for round in 0..<400 {
      let symbols = (0..<random.below(12) + 1).map { _ in
        (address: UInt64(random.below(60)), size: random.chance(40) ? 0 : UInt64(random.below(20) + 1))
      }
      let text = symbols.map { symbol in
        "\(String(symbol.address, radix: 16)) \(symbol.size == 0 ? "" : "0" + String(symbol.size, radix: 16) + " ")T at\(symbol.address)\n"
      }.joined()
      let model = Model(symbols: symbols)
      // All at 0 is refused: there is nothing to learn of it here.
      guard symbols.contains(where: { $0.address > 0 }) else { continue }
      let table = try Self.map(text).table
      let extents = table.extents(named: Set(symbols.map { "at\($0.address)" }), limit: 12)
      for address in 0..<90 as Range<UInt64> {
        let place = table.place(at: address)
        // Whoever asks by the name that an address has is told of it.
        #expect(place.map { extents[$0.symbol]?.contains { $0.addresses.contains(address) } ?? false } ?? true, "round \(round), \(address):\n\(text)")
        let expected = model.place(address)
        #expect(place?.symbol == expected.map { "at\($0.0)" } && place?.offset == expected?.offset, "round \(round), \(address):\n\(text)")
      }
    }
  }
}
