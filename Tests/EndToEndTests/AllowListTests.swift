import AllowLists
import Analyzer
import Foundation
import Races
import Symbols
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// `replay --allow` and `--write-allow`: breaches that are expected.
struct AllowListTests {
  private static func stored(_ name: String) -> String { TimeTravelTests.traces + name + ".tape" }

  private func map(of guest: String, in folder: Folder) throws -> String {
    let path = folder.file(guest + ".map").path
    let map = try Tool.run("guests", guest, "--symbols")
    #expect(map.status == 0)
    try Data(map.output.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func write(_ text: String, _ name: String, in folder: Folder) throws -> String {
    let path = folder.file(name).path
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  private static let trace = stored("fault-tree-ignore-mappings")

  // MARK: Written, then read

  /// What was written of a trace leaves nothing to find in it, but rules that were broken nowhere: by no instruction and at no address.
  @Test(arguments: CorpusTests.names.filter { !$0.contains("clean") }, [false, true]) func whatIsWrittenIsExpected(name: String, hasSymbols: Bool) throws {
    let reader = try TraceReader(path: TimeTravelTests.traces + name)
    let whole = Verdict(of: reader, tally: BreachTally())
    let symbols = hasSymbols ? try Self.symbols.get() : nil
    let tally = try #require(whole.tally)
    // What is told is what is counted.
    for finding in whole.findings where finding.rule.severity != .loss {
      #expect(tally.counts.reduce(0) { $1.key.rule == finding.rule ? $0 + $1.value.times : $0 } == finding.count, "\(finding.rule)")
    }
    let written = AllowListText().adding(tally, symbols: symbols).description
    let list = try AllowListText(parsing: Array(written.utf8))
    #expect(list.description == written)
    let nowhere = Set(tally.counts.keys.filter(\.isNowhere).map(\.rule))
    let rest = Verdict(of: reader, tally: BreachTally(allowing: try list.resolved(name: "x", symbols: symbols)))
    #expect(Set(rest.findings.filter { $0.rule.severity != .loss }.map(\.rule)) == nowhere, "\(written)\(rest)")
    #expect(rest.tally?.staleEntries.isEmpty == true && rest.tally?.unresolvedEntries.isEmpty == true, "\(written)")
    #expect(nowhere.count == list.omissions.count)
    if nowhere.isEmpty { #expect(rest.outcome == (whole.isIncomplete ? .incomplete : .clean)) }
    // Nothing is lost between the two.
    let expected = (rest.tally?.expected ?? []).reduce(0) { $0 + $1.times }
    let left = rest.findings.filter { $0.rule.severity != .loss }.reduce(0) { $0 + $1.count }
    #expect(expected + left == whole.findings.filter { $0.rule.severity != .loss }.reduce(0) { $0 + $1.count })
  }

  /// Of the guest that most of the traces are of; of others they are names all the same.
  private static let symbols = Result { try GuestSymbols(map: Array(try Tool.run("guests", "integrity", "--symbols").output.utf8)) }

  @Test func someRulesOfEachGroupHavePlaces() throws {
    let named = try Set(CorpusTests.names.flatMap { name in
      Verdict(of: try TraceReader(path: TimeTravelTests.traces + name), tally: BreachTally()).tally?.counts.keys.filter { !$0.isNowhere }.map(\.rule) ?? []
    })
    #expect(Set(named.map { String($0.group) }) == ["alert", "integrity", "race", "stop", "tree"])
    #expect(named.isSuperset(of: [.treeProtectedWrite, .treeNodeWrite, .treeGapWrite, .integrityDriverWrite, .raceStopWindow, .racePages, .stopRegionAccess]))
  }

  // MARK: The command

  @Test func aListIsWrittenReadAndKept() throws {
    let folder = try Folder()
    let (map, list) = (try map(of: "integrity", in: folder), folder.file("kernel.allow").path)
    let first = try Tool.run("replay", Self.trace, "--symbols", map, "--write-allow", list)
    #expect(first.status == 1 && first.output.hasPrefix("violated") && first.error == "pagetape: \(list): 8 entries written\n", "\(first)")
    let written = try text(list)
    #expect(written.contains("\nalert/missing         work_denied      static_deny   # 3 times\n"), "\(written)")

    let clean = try Tool.run("replay", Self.trace, "--symbols", map, "--allow", list)
    #expect(clean.status == 0 && clean.error.isEmpty)
    #expect(clean.output == """
      clean  \(Self.trace): 2,534 events, no rule broken but as expected

      Expected by \(list):
        - 17 of alert/missing in 14 places
        - 17 of tree/protected-write in 14 places

      Stopped: 9 writes to protected memory
        - 3 by 0x1003bf (work_denied_driver+0xe), first event 1402, vCPU 1, deny at gpa 0x300030
          (driver_data+0x30)
        - 3 by 0x1003cb (work_denied_driver+0x1a), first event 1407, vCPU 1, deny at gpa 0x101000 (driver)
        - 3 by 0x1003b0 (work_denied_node+0xb), first event 1507, vCPU 1, deny at gpa 0x312000
          (node_static)

      """)

    // It is not overwritten, and what was refused was not begun.
    let again = try Tool.run("replay", Self.trace, "--symbols", map, "--write-allow", list)
    #expect(again.status == 2 && again.output.isEmpty && again.error.contains("\(list): not overwritten; --force overwrites it"), "\(again.error)")
    #expect(try text(list) == written)
    let forced = try Tool.run("replay", Self.trace, "--symbols", map, "--write-allow", list, "--allow", list, "--force")
    #expect(forced.status == 0)
    #expect(try text(list) == written)
  }

  @Test func aSecondListIsTheUnion() throws {
    let folder = try Folder()
    let map = try map(of: "integrity", in: folder)
    let mine = try write(
      """
      # Reviewed.

      # The driver's own test pokes what it protected.
      tree/protected-write work_denied static_deny # as designed
      tree/node-write start *
      tree/* gone * # of the last version

      """, "mine.allow", in: folder)
    let union = folder.file("union.allow").path
    let result = try Tool.run("replay", Self.trace, "--symbols", map, "--allow", mine, "--write-allow", union, "--rule", "tree/*")
    #expect(result.status == 1 && result.error == "pagetape: \(union): 6 entries written\n", "\(result)")
    #expect(try text(union) == """
      # Reviewed.

      tree/*                gone             *             # of the last version
      tree/node-write       start            *             # 0 times
      tree/protected-write  round            dynamic       # 10 times
      tree/protected-write  runtime_on_poke  dynamic       # once
      # The driver's own test pokes what it protected.
      tree/protected-write  work_denied      static_deny   # as designed
      tree/protected-write  work_edge        static_range  # 3 times

      """)
    #expect(result.output.contains(/\ntree\/protected-write  event .*\(dynamic.*  \(and 13 more times\)\n/), "\(result.output)")
    #expect(result.output.contains("Expected by \(mine):\n  - 3 of tree/protected-write in 2 places\n"), "\(result.output)")
    #expect(result.output.contains("Stale in \(mine), naming nothing that happened:\n  - line 5: tree/node-write  start  *\n"), "\(result.output)")
    #expect(result.output.contains("Unknown names in \(mine), which may be for another guest:\n  - line 6: gone\n"), "\(result.output)")
  }

  @Test func theSameInJSON() throws {
    let folder = try Folder()
    let list = try write("tree/protected-write * 0x400000+0x1000\nrace/* * *\n", "x.allow", in: folder)
    let result = try Tool.run("replay", Self.trace, "--allow", list, "--format", "json")
    #expect(result.status == 1)
    struct Report: Decodable {
      struct Finding: Decodable { var rule: String; var count: UInt64; var gpa: String? }
      struct Expected: Decodable {
        struct Breaches: Decodable, Equatable { var rule: String; var count: UInt64; var places: UInt64; var placesCut: Bool }
        struct Stale: Decodable, Equatable { var line: Int; var entry: String }
        var list: String
        var breaches: [Breaches]
        var stale: [Stale]
        var unknown: [Stale]
      }
      var findings: [Finding]
      var expected: Expected
    }
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    #expect(report.expected.list == list && report.expected.unknown.isEmpty)
    #expect(report.expected.breaches == [.init(rule: "tree/protected-write", count: 3, places: 2, placesCut: false)])
    #expect(report.expected.stale == [.init(line: 2, entry: "race/*  *  *")])
    let finding = try #require(report.findings.first { $0.rule == "tree/protected-write" })
    #expect(finding.count == 14 && finding.gpa?.hasPrefix("0x400") == false)
    // Without a list there is no such member.
    #expect(try !Tool.run("replay", Self.trace, "--format", "json").output.contains("\"expected\": {"))
  }

  @Test func whatIsWrongIsToldWithFileAndLine() throws {
    let folder = try Folder()
    func refused(_ text: String, _ arguments: String..., error: String) throws {
      let list = try write(text, "x.allow", in: folder)
      let result = try Tool.run(["replay", Self.trace, "--allow", list] + arguments)
      #expect(result.status == 2 && result.output.isEmpty && result.error.contains(error.replacing("LIST", with: list)), "\(result.error)")
    }
    try refused("\ntree/protected-write 0x1000\n", error: "LIST: line 2: expected a rule, an instruction and memory, as in ")
    try refused("tree/protected-writ * *", error: "found 'tree/protected-writ' (did you mean \"tree/protected-write\"?); 'pagetape rules' lists them")
    try refused("tree/* text_poke *", error: "LIST: line 1: 'text_poke' is a name, and nothing says what it stands for; --symbols does")
    try refused("trace/lost * *", error: "LIST: line 1: 'trace/lost' cannot be expected")
    try refused("* * *", "--at", "7", error: "--at shows none")
    try refused("* * *", "--force", error: "--force goes with --write-allow")
    try refused("* * *", "--write-allow", "-", error: "--write-allow takes a file's name")
    try refused("* * *", "--write-allow", Self.trace, "--force", error: "cannot write a list onto the trace")
    let missing = try Tool.run("replay", Self.trace, "--allow", folder.file("y.allow").path)
    #expect(missing.status == 2 && missing.error.contains("y.allow: cannot open: No such file or directory (did you mean"), "\(missing.error)")
  }

  @Test func aBisectionHonoursIt() throws {
    let folder = try Folder()
    let refused = try Tool.run("replay", "--bisect", Self.trace, "--allow", "x.allow")
    #expect(refused.status == 125 && refused.error.contains("with --bisect --allow needs --rule"))
    let list = try write("tree/protected-write * *\n", "x.allow", in: folder)
    #expect(try Tool.run("replay", "--bisect", Self.trace, "--rule", "tree/*").status == 1)
    #expect(try Tool.run("replay", "--bisect", Self.trace, "--rule", "tree/*", "--allow", list).status == 0)
    #expect(try Tool.run("replay", "--bisect", Self.trace, "--rule", "*", "--allow", list).status == 1)
  }

  // MARK: The page

  /// What the page shows is what comes; `…` stands for what is left out.
  @Test func thePagesExamplesAreTrue() throws {
    let folder = try Folder()
    try FileManager.default.createSymbolicLink(at: folder.file("traces"), withDestinationURL: CorpusTests.folder)
    let page = try text(Repository.root.appendingPathComponent("Sources/CommandLine/pagetape/pagetape.docc/AllowLists.md").path)
    let tools = URL(fileURLWithPath: Tool.path).deletingLastPathComponent().path
    let examples = page.matches(of: /```\n(\$ (?s:.*?))```\n/).flatMap { $0.1.split(separator: "$ ", omittingEmptySubsequences: true) }
    #expect(examples.count == 5)
    for example in examples {
      let (command, shown) = (example.prefix { $0 != "\n" }, example.drop { $0 != "\n" }.dropFirst())
      let came = try Tool.run(["-c", "cd \(folder.url.path) && PATH=\(tools):$PATH && \(command) 2>&1"], path: "/bin/sh").output
      var rest = came[...]
      for (index, part) in shown.split(separator: "…\n", omittingEmptySubsequences: false).enumerated() {
        guard let range = part.isEmpty ? rest.startIndex..<rest.startIndex : rest.range(of: part), index > 0 || range.lowerBound == rest.startIndex else {
          Issue.record("\(command): came\n\(came)without\n\(part)")
          break
        }
        rest = rest[range.upperBound...]
      }
      if !shown.hasSuffix("…\n") { #expect(rest.isEmpty, "\(command): more came:\n\(rest)") }
    }
  }

  // MARK: Bounds

  /// More places than are kept apart are judged and counted all the same, and what a list has no room for is said.
  @Test func placesBeyondTheBoundAreCounted() throws {
    var judge = PlaceMaker()
    judge.count = UInt64(BreachTally.limit + 10)
    let events = TinyTrace(events: [Event(.sessionStart, vcpu: Event.host, seq: 1, a: 1), Event(.sessionEnd, vcpu: Event.host, seq: 2)])
    let subject = Analyzer.Subject(vcpuCount: 1, memory: [], region: GuestRange(start: 0, length: 0), attribution: .everyWrite)
    let verdict = Verdict(of: events, subject, judges: [judge], isComplete: true, tally: BreachTally())
    let tally = try #require(verdict.tally)
    #expect(tally.counts.count == BreachTally.limit && tally.unexpectedBeyond == [judge.rule: 10])
    let list = AllowListText().adding(tally, symbols: nil)
    #expect(list.entries.count == AllowListText.entryLimit)
    #expect(list.omissions == [
      "Not listed: 10 times acme/place, in places beyond the first 262144.", "Not listed: 131072 more entries; a list has 131072 at most.",
    ])
    #expect(list.description.utf8.count <= AllowListText.sizeLimit)
    let allow = AllowList(name: "x", entries: [AllowList.Entry(rule: RuleGlob("acme/*"), instruction: .within([0...UInt64.max]), memory: .anywhere)])
    let allowed = Verdict(of: events, subject, judges: [judge], isComplete: true, tally: BreachTally(allowing: allow))
    #expect(allowed.outcome == .clean)
    let expected = try #require(allowed.tally?.expected.first)
    #expect(expected.rule == judge.rule && expected.times == judge.count && expected.places == UInt64(BreachTally.limit) && expected.isCut)
  }
}

/// Breaks a rule of its own at as many instructions as asked for.
private struct PlaceMaker: RuleJudge {
  let rule = try! Rule("acme/place", statement: "Nothing is anywhere.")
  var count: UInt64 = 0

  mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) {}

  mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {
    guard event.seq == 1 else { return }
    for place in 0..<count { report.breach(seq: 1, vcpu: nil, gpa: place << 12, rip: place, expected: "Nothing.", observed: "Something.") }
  }
}

private struct TinyTrace: TraceSource {
  var events: [Event]

  func run<Pass: TracePass & ~Copyable>(_ pass: inout Pass) {
    guard let batch = try? EventBatch(encoding: events, header: TraceHeader(vcpuCount: 1)) else { fatalError("events") }
    pass.consume(batch)
  }
}
