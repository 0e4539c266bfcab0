import Glibc
import GuestImages
import LinuxBoot
import TestSeeds
import Testing

@Suite struct KernelNamesTests {
  typealias Layout = TestKernelNames.Layout
  typealias Symbol = TestKernelNames.Symbol

  /// So many, at random ascending addresses, some of them each CPU's own where the layout has such, and one with a name of 300 characters.
  private static func symbols(_ count: Int, _ layout: Layout, seed: UInt64 = 1) -> [Symbol] {
    var seed = Seed(of: 1, salt: seed)
    let own = layout.hasAbsolute ? count / 10 : 0
    var address: UInt64 = 0
    return (0..<count).map { number in
      if number == own { address = TestKernelNames.base }
      defer { address += UInt64(seed.below(5000)) }
      let letter = number < own ? "A" : ["t", "T", "D", "r"][seed.below(4)]
      let name = ["function", "symbol_", "__kernel_init", "q.isra.", "x"][seed.below(5)] + "_of_the_\(number)"
      return Symbol(address: address, text: letter + name + (number == count / 2 ? String(repeating: "LongName", count: 36) : ""))
    }
  }

  private static func names(_ vmlinux: [UInt8]) throws -> [KernelNames.Symbol] { try KernelNames(KernelImage(vmlinux, unpacked: true)).symbols }

  private static func said(_ tables: [UInt8]) -> String {
    let error = #expect(throws: LinuxBootError.self) { try names(TestKernelNames.vmlinux(tables)) }
    #expect(error?.code == .unsupported)
    return error.map { "\($0)" } ?? ""
  }

  @Test(arguments: Layout.all, [1, 2, 255, 256, 257, 1200]) func everyLayoutIsRead(layout: Layout, count: Int) throws {
    let symbols = Self.symbols(count, layout)
    var tables = TestKernelNames(symbols, layout)
    let read = try Self.names(TestKernelNames.vmlinux(tables.bytes()))
    #expect(read.map(\.address) == symbols.map(\.address))
    #expect(read.map { "\($0.type)\($0.name)" } == symbols.map(\.text))
  }

  @Test func aLineIsOneOfASystemMap() throws {
    var tables = TestKernelNames([Symbol(address: 0x20, text: "Airq_stack"), Symbol(address: TestKernelNames.base, text: "T_stext")])
    let packed = TestKernel(payload: TestKernel.lz4(TestKernelNames.vmlinux(tables.bytes()))).bytes
    #expect(try Self.names(packed).map(\.line) == ["0000000000000020 A irq_stack", "ffffffff81000000 T _stext"])
  }

  /// What looks like the tables up to some point, and stands before them, does not hide them.
  @Test(arguments: Layout.all) func whatOnlyLooksLikeTablesIsPassedOver(layout: Layout) throws {
    let symbols = Self.symbols(300, layout)
    var tables = TestKernelNames(symbols, layout)
    let good = tables.bytes()
    let index = try #require(tables.places["index"]), tokens = try #require(tables.places["tokens"])
    let decoys = [Array(good[index..<index + 512]), Array(good[tokens..<index + 512]), [1] + [UInt8](repeating: 0, count: 7)]
    for decoy in decoys {
      let filled = decoy + [UInt8](repeating: 0, count: -decoy.count & 7)
      tables.shift = 2 * filled.count
      #expect(try Self.names(TestKernelNames.vmlinux(filled + filled + tables.bytes())).map(\.address) == symbols.map(\.address))
    }
  }

  @Test func whatIsMissingIsSaid() throws {
    let layout = Layout(description: "6.4", orderAtEnd: 3, isBehind: true)
    let symbols = Self.symbols(600, layout)
    var tables = TestKernelNames(symbols, layout)
    let good = tables.bytes()
    let places = tables.places
    func changed(_ name: String, _ offset: Int, _ byte: UInt8) throws -> [UInt8] {
      var bytes = good
      bytes[try #require(places[name]) + offset] = byte
      return bytes
    }
    #expect(Self.said([]).contains("256 tokens and their index; found none"))
    #expect(Self.said(try changed("index", 2, 9)).contains("256 tokens and their index; found none"))
    #expect(Self.said(try changed("tokens", 33, 0)).contains("256 tokens and their index; found none"))
    // 40 bytes stand before the tables.
    let tokens = "the tokens at 0x" + String(0x120_0000 + 40 + (try #require(places["tokens"])), radix: 16)
    let changes: [(String, Int, UInt8)] = [("markers", 4, 1), ("markers", 0, 1), ("names", 0, 0), ("names", 0, 200), ("count", 1, 1), ("count", 4, 1)]
    for (name, offset, byte) in changes {
      #expect(Self.said(try changed(name, offset, byte)).contains("before \(tokens); found none that fit"), "\(name) \(offset)")
    }
    #expect(Self.said(try changed("base", 7, 0x7f)).contains("expected 600 ascending offsets"))
    #expect(Self.said(try changed("offsets", 4 * 300 + 3, 0x80)).contains("behind the tokens at 0x"))
    // Cut off within what stands last.
    #expect(Self.said(Array(good[..<(try #require(places["offsets"]) + 4 * 598)])).contains("expected 600 ascending offsets"))
  }

  @Test func aNumberOfSymbolsThatIsNotTheirsIsRefused() {
    for count in [0, 1, 599, 601, 1 << 22, 1 << 31] {
      var tables = TestKernelNames(Self.symbols(600, Layout(description: "5.0")))
      tables.statedCount = count
      #expect(Self.said(tables.bytes()).contains("found none that fit"), "\(count)")
    }
  }

  @Test func namesThatWouldBreakALineAreRefused() {
    var tokens = TestKernelNames.tokens
    // The last token's text, of the most used number.
    let texts = [("t\n", "as symbol 0"), ("t ", "as symbol 0"), ("té", "as symbol 0"), (String(repeating: "t", count: 2100), "256 tokens")]
    for (text, message) in texts {
      tokens[255] = text
      var tables = TestKernelNames([Symbol(address: TestKernelNames.base, text: "t_x")])
      #expect(Self.said(tables.bytes(tokens)).contains(message), "\(text.prefix(3))")
    }
    // 70 tokens of 40 characters each are a name that is too long.
    tokens[255] = String(repeating: "t", count: 40)
    var tables = TestKernelNames([Symbol(address: TestKernelNames.base, text: String(repeating: "t_", count: 70))])
    #expect(Self.said(tables.bytes(tokens)).contains("as symbol 0"))
  }

  // MARK: Hostile files

  @Test func changedTablesNeverCrash() {
    let base = Seed.base(1)
    for (salt, layout) in Layout.all.enumerated() {
      var tables = TestKernelNames(Self.symbols(300, layout), layout)
      let good = tables.bytes()
      let places = tables.places.values.sorted()
      var read = 0
      for number in 0..<200 as Range<UInt64> {
        var seed = Seed(of: base &+ number, salt: UInt64(salt))
        var changed = good
        for _ in 0...seed.below(3) {
          // Half of them where a table begins.
          let at = seed.chance(50) ? places[seed.below(places.count)] + seed.below(16) : seed.below(changed.count)
          if at < changed.count { changed[at] = UInt8(truncatingIfNeeded: seed.next()) }
        }
        if seed.chance(20) { changed.removeLast(seed.below(changed.count)) }
        if seed.chance(20) { changed.removeFirst(seed.below(changed.count)) }
        guard let symbols = try? Self.names(TestKernelNames.vmlinux(changed)) else { continue }
        read += 1
        #expect(zip(symbols, symbols.dropFirst()).allSatisfy { $0.address <= $1.address })
        #expect(symbols.allSatisfy { !$0.name.isEmpty && $0.name.utf8.allSatisfy { (0x21...0x7e).contains($0) } })
      }
      // Some changes only make another name or address, others take the tables apart.
      #expect(read > 0 && read < 200, "\(layout)")
    }
  }

  @Test func randomBytesAreRefused() {
    var seed = Seed(of: Seed.base(1), salt: 77)
    for _ in 0..<200 {
      // Few values, so that there are zeros, and numbers that ascend.
      let few = UInt64(1 + seed.below(20))
      let bytes = (0..<seed.below(4096)).map { _ in UInt8(truncatingIfNeeded: seed.next() % few) }
      #expect(throws: LinuxBootError.self) { try Self.names(TestKernelNames.vmlinux(bytes)) }
    }
  }

  /// Numbers of symbols everywhere, each with many names behind it: reading all of them would take hours.
  @Test(.timeLimit(.minutes(1))) func numbersOfSymbolsWithoutEndAreGivenUp() {
    var tables = TestKernelNames([Symbol(address: TestKernelNames.base, text: "t_x")])
    let good = tables.bytes()
    let number: [UInt8] = [0x0f, 0x7f, 0, 0, 0, 0, 0, 0]
    let bytes = [[UInt8]](repeating: number, count: 1 << 17).flatMap { $0 } + good[(tables.places["tokens"] ?? 0)...]
    #expect(Self.said(bytes).contains("found none that fit"))
  }

  /// Tables of tokens everywhere, with nothing before them.
  @Test(.timeLimit(.minutes(1))) func tokensWithoutEndAreGivenUp() {
    var tables = TestKernelNames([Symbol(address: TestKernelNames.base, text: "t_x")])
    let good = tables.bytes()
    let tokens = Array(good[(tables.places["tokens"] ?? 0)...])
    #expect(Self.said([[UInt8]](repeating: tokens, count: 2000).flatMap { $0 }).contains("found none that fit"))
  }

  // MARK: A real kernel

  private static let realKernel = (unsafe getenv("PAGETAPE_LINUX_GUEST").map { unsafe String(cString: $0) } ?? ".build/linux-guest") + "/vmlinuz"

  @Test(.enabled(if: unsafe access(realKernel, R_OK) == 0, "needs a kernel: tools/linux-guest fetches it")) func aStockKernelHasItsNames() throws {
    let image = try KernelImage(try FileBytes.read(Self.realKernel, limit: 1 << 30), unpacked: true)
    let symbols = try KernelNames(image).symbols
    #expect(symbols.count > 50_000)
    #expect(zip(symbols, symbols.dropFirst()).allSatisfy { $0.address <= $1.address })
    // The kernel is linked so far above its physical addresses.
    let map: UInt64 = 0xffff_ffff_8000_0000
    let kernel = symbols.filter { $0.type != "A" }
    #expect(kernel.allSatisfy { (map + image.segments[0].gpa...map + image.end).contains($0.address) })
    func address(_ name: String) throws -> UInt64 { try #require(symbols.first { $0.name == name }, "\(name)").address }
    let start = try address("_stext"), end = try address("_etext")
    #expect(start == map + image.entry)
    #expect(start < end)
    #expect((start..<end).contains(try address("do_syscall_64")))
    #expect(try address("start_kernel") > end && address("int3_selftest") > end)
  }
}
