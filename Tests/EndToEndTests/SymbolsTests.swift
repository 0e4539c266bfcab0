import Analyzer
import ELFFormat
import Foundation
import Races
import Reports
import Symbols
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// `--symbols`: names beside addresses in what every verb prints.
struct SymbolsTests {
  private static func stored(_ name: String) -> String { TimeTravelTests.traces + name + ".tape" }

  /// The map of a built-in guest, as a user makes it.
  private func map(of guest: String, in folder: Folder) throws -> String {
    let path = folder.file(guest + ".map").path
    let map = try Tool.run("guests", guest, "--symbols")
    #expect(map.status == 0 && map.error.isEmpty)
    try Data(map.output.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func run(_ arguments: String..., status: Int32 = 0) throws -> String {
    let result = try Tool.run(arguments)
    #expect(result.status == status && result.error.isEmpty, "\(arguments): \(result.status), \(result.error)")
    return result.output
  }

  // MARK: Each verb

  @Test func aVerdictNamesPlacesAndWhatItSays() throws {
    let folder = try Folder()
    let map = try map(of: "integrity", in: folder)
    let trace = Self.stored("fault-tree-ignore-mappings")
    let text = try run("replay", trace, "--symbols", map, status: 1)
    #expect(text.contains("gpa 0x400010 (static_deny+0x10), rip 0x100388 (work_denied+0x8)"), "\(text)")
    // Sentences say where, too.
    #expect(text.contains("writes the protected page 0x400000 (static_deny)\n"), "\(text)")
    #expect(text.contains("vCPU 0 published the mapping in the leaf 0x312000 (node_static)\n"), "\(text)")
    // Without the names it is what it is without symbols.
    let plain = try run("replay", trace, status: 1)
    #expect(Self.withoutNames(text) == Self.withoutNames(plain))
    #expect(!plain.contains("(static_deny"))
  }

  /// Text without what stands in parentheses, however it is broken into lines.
  private static func withoutNames(_ text: String) -> String {
    text.replacing(/\ ?\([a-z_0-9+]+\)/, with: "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// Where instruction pointers and physical addresses are different things, a sentence's number is named only where it is known which it is.
  @Test func aSentencesNumbersAreNotMistaken() throws {
    let symbols = try GuestSymbols(map: Array("2000 1000 T code\n3000 1000 D data\n4000 10 D both\n".utf8), offset: 0x1000)
    let reader = try TraceReader(path: Self.stored("fault-tree-ignore-mappings"))
    var verdict = Verdict(of: reader, Analyzer.Subject(reader.header), isComplete: reader.isComplete)
    func naming(_ sentence: String) -> String {
      verdict.findings[0].observed = sentence
      verdict.undecided = [sentence]
      return verdict.naming(symbols).findings[0].observed
    }
    (verdict.findings[0].gpa, verdict.findings[0].rip) = (0x2000, 0x2008)
    #expect(naming("wrote 8 bytes at 0x2000, from 0x2008.") == "wrote 8 bytes at 0x2000 (data), from 0x2008 (code+0x8).")
    #expect(verdict.naming(symbols).undecided == ["wrote 8 bytes at 0x2000, from 0x2008."])
    #expect(naming("another page, 0x2010, and frames 0x2000..<0x2008") == "another page, 0x2010, and frames 0x2000..<0x2008")
    #expect(naming("0x20zz 0x 0xffffffffffffffffff 0x9000 2000") == "0x20zz 0x 0xffffffffffffffffff 0x9000 2000")
    (verdict.findings[0].gpa, verdict.findings[0].rip) = (0x2000, 0x2000)
    #expect(naming("at 0x2000") == "at 0x2000")
  }

  @Test func aVerdictAsJSONHasFieldsOfItsOwn() throws {
    let folder = try Folder()
    let map = try map(of: "integrity", in: folder)
    let trace = Self.stored("fault-tree-ignore-mappings")
    let plain = try run("replay", trace, "--format", "json", status: 1)
    #expect(!plain.contains("Symbol"))
    let named = try run("replay", trace, "--format", "json", "--symbols", map, status: 1)
    #expect(named.contains(#""gpaSymbol": "static_deny+0x10", "rip": "0x100388", "ripSymbol": "work_denied+0x8""#))
    #expect(named.replacing(/, "[a-z]+Symbol": ("[^"]*"|null)/, with: "") == plain)
    let races = try run("replay", Self.stored("race-stop-window"), "--format", "json", "--symbols", map, status: 1)
    #expect(races.contains(/"accesses": \[\{[^}]*"gpaSymbol": "mailbox\+0x/))
  }

  @Test func theMachineAtOneEvent() throws {
    let folder = try Folder()
    let map = try map(of: "integrity", in: folder)
    let trace = Self.stored("clean-integrity-4")
    let text = try run("replay", trace, "--at", "126", "--symbols", map)
    #expect(text.contains("entry point 0x10100d (driver_entry)"))
    #expect(text.contains("driver data 0x300000 (driver_data), 1 page"))
    #expect(text.contains("base pointer 0x310000 (node_base)"))
    #expect(text.contains("0x312000 (node_static) leaf"))
    #expect(text.contains("region 0x70000000 (handler) + 1.0 MiB"))
    let json = try run("replay", trace, "--at", "126", "--symbols", map, "--format", "json")
    #expect(json.contains(#""entryPoint": "0x10100d", "entryPointSymbol": "driver_entry""#))
    #expect(json.contains(#""basePointer": "0x310000", "basePointerSymbol": "node_base""#))
    #expect(json.contains(#""gpa": "0x402000", "gpaSymbol": "static_count", "what": "mapping""#))
    let plain = try run("replay", trace, "--at", "126", "--format", "json")
    #expect(json.replacing(/, "[a-zA-Z]+Symbol": ("[^"]*"|null)/, with: "") == plain)
  }

  @Test func eventsLineByLine() throws {
    let folder = try Folder()
    let map = try map(of: "hello", in: folder)
    let trace = Self.stored("clean-hello")
    #expect(try run("dump", trace, "--symbols", map).contains("guest-enter         rip 0x100017 (start+0x17)\n"))
    let json = try run("dump", trace, "--symbols", map, "--format", "json", "--kind", "guest-enter")
    #expect(json.contains(#""rip": "0x100017", "ripSymbol": "start+0x17"}"#))
    let all = try run("dump", trace, "--symbols", map, "--format", "json")
    #expect(try run("dump", trace, "--format", "json") == all.replacing(/, "ripSymbol": "[^"]*"/, with: ""))
  }

  @Test func blameTakesAndGivesNames() throws {
    let folder = try Folder()
    let map = try map(of: "integrity", in: folder)
    let trace = BlameTests.path
    let byNumber = try run("blame", trace, "0x200000+8", "--symbols", map)
    #expect(byNumber.contains("8 bytes at 0x200000 (shared_done)"))
    #expect(try run("blame", trace, "shared_done", "--symbols", map) == byNumber)
    #expect(try run("blame", trace, "shared_done+0+8", "--symbols", map) == byNumber)
    let one = try run("blame", trace, "dynamic+0x10208", "--symbols", map, "--at", "20048")
    #expect(one.contains("byte 0x450208 (dynamic+0x10208)") && one.contains("rip 0x1006fe (round+0x28), trapped"))
    let json = try run("blame", trace, "dynamic+0x10208", "--symbols", map, "--at", "20048", "--format", "json")
    #expect(json.hasPrefix(#"{"address": "0x450208", "addressSymbol": "dynamic+0x10208", "length": 1"#))
    #expect(json.contains(#""gpa": "0x450208", "gpaSymbol": "dynamic+0x10208""#) && json.contains(#""ripSymbol": "round+0x28""#))
  }

  @Test func twoTracesWhereTheyPart() throws {
    let folder = try Folder()
    let map = try map(of: "stop-storm", in: folder)
    let (a, b) = (Self.stored("clean-stop-storm-4"), Self.stored("format-1-clean-stop-storm"))
    let text = try run("diff", a, b, "--symbols", map, status: 1)
    #expect(text.contains("starts vCPU 2 at 0x100348 (worker)") && text.contains("page-write          0x203000 (hot_add), 2 writes"), "\(text)")
    #expect(try run("diff", a, b, "--symbols", map, "--format", "json", status: 1).contains(#""ripSymbol": ""#))
  }

  @Test func racyEvents() throws {
    let folder = try Folder()
    let map = try map(of: "integrity", in: folder)
    let trace = Self.stored("clean-integrity-2")
    let text = try run("races", trace, "--symbols", map, status: 1)
    #expect(text.contains(/writes 0x[0-9a-f]+ \([a-z_0-9+]+\) at 0x[0-9a-f]+ \([a-z_0-9+]+\)/), "\(text.prefix(300))")
    let json = try run("races", trace, "--symbols", map, "--format", "json", status: 1)
    #expect(json.contains(/"location": "0x[0-9a-f]+", "locationSymbol": "[a-z_0-9+]+", "variable": "0x[0-9a-f]+", "variableSymbol": "/))
    let std = folder.file("x.std")
    try Data("T0|w(V1)|1\n".utf8).write(to: std)
    let refused = try Tool.run("races", std.path, "--symbols", map)
    #expect(refused.status == 2 && refused.error.contains("native trace"))
  }

  @Test func theReportPage() throws {
    let folder = try Folder()
    let map = try map(of: "integrity", in: folder)
    let html = try run("report", Self.stored("fault-tree-ignore-mappings"), "-o", "-", "--symbols", map, status: 1)
    #expect(html.contains(/"symbols": \{"rip": \{"0x[0-9a-f]+": "/) && html.contains(#""0x310000": "node_base""#))
    #expect(html.contains(/"write-trap", "0x[0-9a-f]+ \([a-z_]+\+0x/))
    #expect(try run("report", Self.stored("clean-hello"), "-o", "-").contains(#""symbols": {"rip": {}, "gpa": {}}"#))
  }

  @Test(arguments: ["jsonl", "csv", "perfetto", "sarif"]) func exports(format: String) throws {
    let folder = try Folder()
    let map = try map(of: "integrity", in: folder)
    let trace = Self.stored("fault-tree-ignore-mappings")
    let plain = try run("export", "--format", format, trace)
    #expect(!plain.contains("static_deny"))
    let named = try run("export", "--format", format, trace, "--symbols", map)
    let expected: [String] =
      switch format {
      case "jsonl": [#""gpa": "0x400010", "gpaSymbol": "static_deny+0x10", "rip": "0x100388", "ripSymbol": "work_denied+0x8""#, "from rip 0x100388 (work_"]
      case "csv": [",0x400010,static_deny+0x10,0x100388,work_denied+0x8,"]
      case "perfetto": ["0x400010 (static_deny+0x10)", "0x100388 (work_denied+0x8)", "writes the protected page 0x400000 (static_deny)"]
      default: [#""gpaSymbol": "static_deny+0x10""#, #""ripSymbol": "work_denied+0x8""#, "the protected page 0x400000 (static_deny)"]
      }
    for text in expected { #expect(named.contains(text), "\(format): \(text)") }
    if format == "sarif" {
      let prints = /"pagetape\/v1": "[^"]*"/
      #expect(named.matches(of: prints).map { String($0.output) } == plain.matches(of: prints).map { String($0.output) })
    }
    let database = folder.file("x.sqlite").path
    _ = try run("export", "--format", "sqlite", trace, "--symbols", map, "-o", database)
    let findings = "SELECT g.name, r.name FROM findings JOIN gpa_symbols g USING (gpa) JOIN rip_symbols r USING (rip)"
    #expect(try DatabaseReader(database).lines(findings).contains("static_deny+0x10|work_denied+0x8"))
    let std = try Tool.run("export", "--format", "std", trace, "--symbols", map)
    #expect(std.status == 2 && std.error.contains("no place for names"))
  }

  // MARK: Files

  /// An ELF file that is at hand: the tool itself, with an event at one of its own functions.
  @Test func anELFFileNamesItsFunctions() throws {
    let folder = try Folder()
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: Tool.path)))
    let main = try #require(try GuestSymbols(elf: ELFInput(bytes)).table.symbols(named: "main").first)
    let trace = folder.file("main.tape").path
    let writer = try TraceWriter(path: trace, header: TraceHeader(vcpuCount: 1))
    for event in [Event(.sessionStart, vcpu: Event.host, a: 1), Event(.guestExit, vcpu: 0, rip: main.address + 1)] { writer.append(timed: event) }
    try writer.finish()
    // Swift gives it two names.
    #expect(try run("dump", trace, "--symbols", Tool.path).contains(/\((pagetape_)?main\+0x1\)/))
  }

  @Test func aKernelsAddresses() throws {
    let folder = try Folder()
    let trace = folder.file("kernel.tape").path
    let writer = try TraceWriter(path: trace, header: TraceHeader(vcpuCount: 1))
    for event in [
      Event(.sessionStart, vcpu: Event.host, a: 1), Event(.guestExit, vcpu: 0, rip: 0xffff_ffff_8100_0123),
      Event(.pageWrite, vcpu: 0, gpa: 0x2a0_5000, a: 1), Event(.guestExit, vcpu: 0, rip: 0x100_0123),
    ] { writer.append(timed: event) }
    try writer.finish()
    let map = folder.file("System.map")
    try Data("ffffffff81000000 T startup_64\nffffffff81000200 T next\nffffffff82a05000 D jiffies\nffffffff82a05008 D more\n".utf8).write(to: map)
    let text = try run("dump", trace, "--symbols", map.path)
    #expect(text.contains("rip 0xffffffff81000123 (startup_64+0x123)") && text.contains("page-write          0x2a05000, 1 write"))
    let offset = ["--symbols-offset", "0xffffffff80000000"]
    let told = try Tool.run(["dump", trace, "--symbols", map.path] + offset).output
    #expect(told.contains("0x2a05000 (jiffies), 1 write") && told.contains("rip 0x1000123,"))
    #expect(try Tool.run(["blame", trace, "jiffies", "--symbols", map.path] + offset).output.contains("8 bytes at 0x2a05000 (jiffies)"))
    let nowhere = try Tool.run("blame", trace, "jiffies", "--symbols", map.path)
    #expect(nowhere.status == 2 && nowhere.error.contains("--symbols-offset"))
  }

  @Test func whatIsNoFileOfSymbolsIsRefused() throws {
    let folder = try Folder()
    let trace = Self.stored("clean-hello")
    func refused(_ text: String, _ said: String) throws {
      let file = folder.file("symbols")
      try Data(text.utf8).write(to: file)
      let result = try Tool.run("dump", trace, "--symbols", file.path)
      #expect(result.status == 2 && result.output.isEmpty && result.error.contains("\(file.path): \(said)"), "\(result.error)")
    }
    try refused("1000 T start\nstart\n", "line 2: expected an address")
    try refused("", "it holds no symbol")
    try refused("\u{7f}ELF", "offset 0x4: the file ends inside the ELF header")
    try refused("0000000000000000 T _text\n", "all addresses are 0")
    let folderNamed = try Tool.run("dump", trace, "--symbols", folder.url.path)
    #expect(folderNamed.status == 2 && folderNamed.error.contains("is a folder"))
    let missing = try Tool.run("dump", trace, "--symbols", folder.file("symbls").path)
    #expect(missing.status == 2 && missing.error.contains("did you mean"))
    #expect(try Tool.run("dump", trace, "--symbols-offset", "0x10").error.contains("goes with --symbols"))
    #expect(try Tool.run("dump", trace, "--symbols", trace, "--symbols-offset", "ten").error.contains("takes a number"))
  }

  @Test func namesThatBlameDoesNotKnow() throws {
    let folder = try Folder()
    let map = folder.file("twice.map")
    try Data("1000 10 t twice\n2000 10 t twice\n3000 9000 D large\n100000 T operator+\n100010 T last\n".utf8).write(to: map)
    let trace = Self.stored("clean-hello")
    for (name, said) in [
      ("twice", "2 symbols are called 'twice', at 0x1000, 0x2000"), ("large", "'large' has 36,864 bytes; up to 4096"), ("larg", "(did you mean \"large\"?)"),
      ("large+0x9000", "is not among them"), ("large+0+0", "ask for 1 byte"), ("+4", "there is no symbol"), ("", "there is no symbol"),
      ("0xzz", "'0xzz' is no address"), ("la\u{1b}[1mrge", "there is no symbol 'la\u{fffd}[1mrge'"), ("kernel-text", "there is no symbol '_stext'"),
    ] {
      let result = try Tool.run("blame", trace, "--symbols", map.path, "--", name)
      #expect(result.status == 2 && result.error.contains(said), "\(name): \(result.error)")
    }
    #expect(try run("blame", trace, "operator+", "--symbols", map.path).contains("16 bytes at 0x100000 (operator+)"))
    #expect(try run("blame", trace, "large+0x10+4", "--symbols", map.path).contains("4 bytes at 0x3010 (large+0x10)"))
  }

  /// All of a kernel's code has a name of its own, wherever memory can be named.
  @Test func aKernelsTextHasAName() throws {
    let folder = try Folder()
    let map = folder.file("System.map")
    try Data("ffffffff81000000 T startup_64\nffffffff81000000 T _stext\nffffffff81000200 T next\nffffffff81003000 T _etext\n".utf8).write(to: map)
    let trace = Self.stored("linux-text")
    let offset = "0xffffffff80000000"
    #expect(try run("blame", trace, "kernel-text+0x254c", "--symbols", map.path, "--symbols-offset", offset).contains("byte 0x100254c (next+0x234c)"))
    #expect(try run("blame", trace, "kernel-text+0x2fff+1", "--symbols", map.path, "--symbols-offset", offset).contains("byte 0x1002fff"))
    for (what, said) in [("kernel-text", "'kernel-text' has 12,288 bytes; up to 4096"), ("kernel-text+0x3000", "is not among them")] {
      let result = try Tool.run("blame", trace, what, "--symbols", map.path)
      #expect(result.status == 2 && result.error.contains(said), "\(result.error)")
    }
    try Data("ffffffff81000000 T _etext\nffffffff81003000 T _stext\n".utf8).write(to: map)
    #expect(try Tool.run("blame", trace, "kernel-text+4", "--symbols", map.path).error.contains("no code lies between _stext, 0xffffffff81003000"))
  }

  @Test func guestsGiveTheirSymbols() throws {
    #expect(try Tool.run("guests", "--symbols").status == 2)
    #expect(try Tool.run("guests", "integrty", "--symbols").error.contains("did you mean \"integrity\"?"))
    #expect(try run("guests", "hello").hasPrefix("hello "))
    for guest in ["integrity", "stop-storm", "brief", "tree-churn", "attacks", "atomics", "writer", "hello"] {
      let map = try run("guests", guest, "--symbols")
      #expect(try GuestSymbols(map: Array(map.utf8)).table.symbols.count == map.split(separator: "\n").count)
    }
  }
}
