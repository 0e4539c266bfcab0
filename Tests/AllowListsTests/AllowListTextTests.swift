import AllowLists
import Analyzer
import Symbols
import TestSeeds
import Testing

/// Allow-lists as text: what is one, what is none, and what a name in one stands for.
struct AllowListTextTests {
  private static func list(_ text: String) throws -> AllowListText { try AllowListText(parsing: Array(text.utf8)) }

  private static let symbols = try! GuestSymbols(
    map: Array(
      """
      1000 10 T start
      1010 T poke
      1020 t local
      1030 t local
      1040 T operator+(int, int)
      1050 t nf_init\t[nf]
      1060 t nf_init\t[other]
      2000 D table
      2040 D end_of_all
      """.utf8))

  private static func resolved(_ text: String) throws -> [AllowList.Entry] { try list(text).resolved(name: "x.allow", symbols: symbols).entries }

  @Test func theFormsOfAnOperand() throws {
    let entries = try Self.resolved(
      """
      tree/*  start         table     # the whole of both
      tree/*  poke+4        table+0x10+0x20
      tree/*  0x1000        4096+16
      tree/*  local         *
      tree/*  -             -
      tree/*  nf_init[nf]   *
      tree/*  nf_init       *
      tree/*  "operator+(int, int)"+0x2  *
      """)
    #expect(entries.map(\.instruction) == [
      .within([0x1000...0x100f]), .within([0x1014...0x1014]), .within([0x1000...0x1000]), .within([0x1020...0x102f, 0x1030...0x103f]), .unknown,
      .within([0x1050...0x105f]), .within([0x1050...0x105f, 0x1060...0x1fff]), .within([0x1042...0x1042]),
    ])
    #expect(entries.map(\.memory).prefix(3) == [.within([0x2000...0x203f]), .within([0x2010...0x202f]), .within([0x1000...0x100f])])
    #expect(entries[3].memory == .anywhere && entries[4].memory == .unknown)
    #expect(entries.allSatisfy { $0.unresolved.isEmpty } && entries.map(\.line) == Array(1...8))
  }

  @Test func namesThatAreNotThereAreTold() throws {
    let entries = try Self.resolved("tree/*  gone  table\nrace/pages  start+0x10  *\ntree/*  nf_init[third]  lost\n")
    #expect(entries.map(\.unresolved) == [["gone"], ["start+0x10"], ["nf_init[third]", "lost"]])
    #expect(entries.map(\.instruction) == [.within([]), .within([]), .within([])])
    let tally = BreachTally(allowing: AllowList(name: "x", entries: entries))
    #expect(tally.staleEntries.isEmpty && tally.unresolvedEntries.count == 3)
  }

  @Test func namesWithoutSymbolsAreAnError() throws {
    let error = #expect(throws: AllowListError.self) { try Self.list("\n# a\ntree/* 0x10 *\ntree/* * table").resolved(name: "x", symbols: nil) }
    #expect(error?.line == 4 && error?.isForLackOfSymbols == true)
    #expect(try Self.list("tree/* 0x10 *").resolved(name: "x", symbols: nil).entries.count == 1)
  }

  @Test(arguments: [
    ("tree/gap-write 0x1000", "line 1: expected a rule, an instruction and memory"), ("\ntree/* a b c", "line 2: expected a rule, an instruction and memory"),
    ("tre/gap-write * *", "line 1: expected a rule, or a pattern that rules match, found 'tre/gap-write'"),
    ("trace/* * *", "line 1: 'trace/*' cannot be expected: what a trace has lost"), ("\"tree/*\" * *", "line 1: expected a rule"),
    ("tree/* 0x *", "line 1: expected an instruction: a symbol"), ("tree/* 12x *", "line 1: expected an instruction"),
    ("tree/* 0x1000+0 *", "line 1: expected an instruction"), ("tree/* 0x1+2+3 *", "line 1: expected an instruction"),
    ("tree/* 0xffffffffffffffff+2 *", "line 1: expected an instruction"), ("tree/* -1 *+1", "line 1: "), ("tree/* * \"a\"b", "line 1: expected memory"),
    ("tree/* * \"\"", "line 1: expected memory"), ("tree/* * \"a b", "line 1: expected a closing quote"),
    ("tree/* * 0xffffffff81000000", "line 1: expected guest-physical memory, which ends at 2^52, found 0xffffffff81000000"),
    ("tree/* * a\u{1b}[31m", "line 1: expected text, found a control character"),
    ("# \u{9b}31m", "line 1: expected text, found a control character"), ("tree/* a+0+0 *", "line 1: expected an instruction"),
    ("tree/* * *\n" + String(repeating: "#", count: 5000), "line 2: expected at most 4096 bytes in a line, found 5000"),
  ])
  func whatIsNoList(text: String, error: String) throws { try Self.expect(error, of: text) }

  /// Not as arguments, which are printed.
  @Test func whatIsTooLongIsNoList() throws {
    try Self.expect("line 131073: expected at most 131072 entries", of: String(repeating: "tree/* * *\n", count: AllowListText.entryLimit + 1))
    try Self.expect("expected at most 16777216 bytes", of: String(repeating: "#\n", count: AllowListText.sizeLimit / 2 + 1))
  }

  private static func expect(_ error: String, of text: String) throws {
    let thrown = #expect(throws: AllowListError.self) { try Self.list(text) }
    #expect(thrown?.description.hasPrefix(error) == true, "\(thrown?.description ?? "")")
  }

  @Test func bytesThatAreNoTextAreNoList() {
    #expect(throws: AllowListError.self) { try AllowListText(parsing: [0x74, 0xff, 0x0a]) }
  }

  /// A name that many symbols have, many times over, is refused before it fills memory.
  @Test func namesThatStandForTooMuchAreRefused() throws {
    let map = (0..<5000).map { "\(String(0x1000 + $0 * 16, radix: 16)) t same\n" }.joined()
    let symbols = try GuestSymbols(map: Array(map.utf8))
    let text = String(repeating: "tree/* same *\n", count: 300)
    let error = #expect(throws: AllowListError.self) { try Self.list(text).resolved(name: "x", symbols: symbols) }
    #expect(error?.description.contains("the names up to here stand for more than 1048576 ranges") == true)
  }

  @Test func commentsStayWithWhatTheyExplain() throws {
    let text = """
      # Heading, of two lines.
      #

      # Static keys.
      # They flip at run time.
      race/*       -             table  # see issue 6

      tree/*       start         table  # 3 times
      # Nothing behind this.

      """
    let list = try Self.list(text)
    #expect(list.heading == ["Heading, of two lines.", ""])
    #expect(list.entries.map(\.comments) == [["Static keys.", "They flip at run time."], []])
    #expect(list.entries.map(\.comment) == ["see issue 6", "3 times"] && list.ending == ["Nothing behind this."])
    #expect(list.description == """
      # Heading, of two lines.
      #

      # Static keys.
      # They flip at run time.
      race/*  -      table  # see issue 6
      tree/*  start  table  # 3 times

      # Nothing behind this.

      """)
    #expect(try Self.list(text.replacing("\n", with: "\r\n")).description == list.description)
  }

  /// What a list writes is what it reads.
  @Test func whatIsWrittenIsReadAlike() throws {
    let names = ["start", "operator+(int, int)", "0x10", "*", "-", "a#b", "a+0x10", "x[y]", "[]", "operator[]", "+", "ü", "9lives", "a b", "foo.isra.0"]
    for name in names {
      for module in [nil, "nf_tables"] {
        for part in [nil, 0...0, 0x10...0x1f, UInt64.max...UInt64.max] as [ClosedRange<UInt64>?] {
          let operand = AllowListOperand.symbol(AllowListOperand.Name(symbol: name, module: module, part: part))
          let entry = AllowListText.Entry(rule: RuleGlob("tree/*"), instruction: operand, memory: operand)
          let read = try #require(try Self.list(entry.text).entries.first, "\(entry.text)")
          #expect(read.instruction == operand && read.memory == operand, "\(entry.text)")
        }
      }
    }
    let addresses = AllowListOperand.addresses(0...(1 << 52) - 1)
    let entry = AllowListText.Entry(rule: RuleGlob("*"), instruction: .unknown, memory: addresses)
    #expect(try Self.list(entry.text).entries.first?.memory == addresses)
  }

  /// Whatever the bytes, it is a list or an error; a list, written and read, is the same.
  @Test func randomTextIsAListOrAnError() throws {
    let words = ["tree/*", "*", "-", "#", "\"", "0x10", "+", "start", "[", "]", "race/pages", " ", "\n", "\t", "é", "9", "++", "0", "\r"]
    var lists = 0
    for salt in 0..<4000 {
      var seed = Seed(salt: UInt64(salt))
      var text = seed.chance(50) ? "tree/* " : ""
      for _ in 0..<seed.below(12) { text += words[seed.below(words.count)] + (seed.chance(60) ? " " : "") }
      guard let list = try? Self.list(text) else { continue }
      if !list.entries.isEmpty { lists += 1 }
      let again = try #require(try? Self.list(list.description), "seed \(Seed.run), salt \(salt): \(text.debugDescription) gave \(list.description)")
      #expect(again.description == list.description, "seed \(Seed.run), salt \(salt): \(text.debugDescription) gave \(list.description.debugDescription)")
    }
    #expect(lists > 20)
  }
}
