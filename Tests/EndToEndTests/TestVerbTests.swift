import Foundation
import Regression
import Testing
import TraceFile
import TraceFormat
import TraceSuite

/// `pagetape test` as a user runs it, on copies of stored traces.
struct TestVerbTests {
  let folder: Folder
  /// `t` below the folder.
  let suite: URL

  init() throws {
    folder = try Folder()
    suite = folder.file("t")
    try FileManager.default.createDirectory(at: suite, withIntermediateDirectories: true)
  }

  private static let names = [
    "clean-brief-1", "clean-brief-2", "clean-brief-3", "clean-hello", "fault-stop-map-early", "fault-stop-map-late", "fault-stop-double-stop", "race-foretold",
    "damaged-text",
  ]

  private func copy(_ names: [String] = names) throws {
    for name in names {
      for suffix in [".tape", ".expected"] {
        try FileManager.default.copyItem(at: CorpusTests.folder.appendingPathComponent(name + suffix), to: suite.appendingPathComponent(name + suffix))
      }
    }
  }

  private func edit(_ name: String, _ change: (String) -> String) throws {
    let file = suite.appendingPathComponent(name + ".expected")
    try change(try String(contentsOf: file, encoding: .utf8)).write(to: file, atomically: true, encoding: .utf8)
  }

  private func test(_ arguments: String...) throws -> Tool.Result { try Tool.run(["test", suite.path] + arguments) }

  private func statuses(_ result: Tool.Result) throws -> [String: String] {
    let report = try JSONDecoder().decode(SuiteReport.self, from: Data(result.output.utf8))
    return Dictionary(uniqueKeysWithValues: report.results.map { (URL(fileURLWithPath: $0.trace).lastPathComponent, $0.status.rawValue) })
  }

  @Test func whatIsAsExpectedPasses() throws {
    try copy()
    let result = try test()
    #expect(result.status == 0, "\(result.output)")
    #expect(result.output.contains("9 traces: 9 passed\nverdicts: 4 clean, 4 violated, 1 unreadable; "))
    #expect(result.output.contains("slowest:\n"))
  }

  /// `x.allow` beside `x.tape`.
  @Test func whatAnAllowListNamesIsExpected() throws {
    let name = "fault-stop-map-early"
    try copy([name, "clean-hello"])
    let (tape, list) = (suite.appendingPathComponent(name + ".tape").path, suite.appendingPathComponent(name + ".allow"))
    #expect(try Tool.run("replay", tape, "--write-allow", list.path).status == 1)
    // Now it is judged otherwise than it was.
    #expect(try statuses(test("--format", "json")) == [name + ".tape": "unexpected-pass", "clean-hello.tape": "passed"])
    let update = try test("--update")
    #expect(update.status == 0 && update.output.contains("    + allowed    4 of stop/region-exposed in 1 place\n"), "\(update.output)")
    #expect(try test().status == 0)
    #expect(try Tool.run("replay", "--bisect", tape).status == 0)
    // More of the same is something else.
    try edit(name) { $0.replacing("allowed    4 of", with: "allowed    3 of") }
    #expect(try statuses(test("--format", "json"))[name + ".tape"] == "differs")
    #expect(try Tool.run("replay", "--bisect", tape).status == 1)
    // One that cannot be read is no list that is not there.
    try Data("stop/* text_poke *\n".utf8).write(to: list)
    let broken = try test()
    #expect(broken.status == 2)
    #expect(broken.output.contains("\(list.path): line 1: 'text_poke' is a name, and nothing says what it stands for; beside a stored trace a list"))
    try FileManager.default.removeItem(at: list)
    #expect(try statuses(test("--format", "json"))[name + ".tape"] == "differs")
  }

  @Test func aDifferenceIsShownLineByLine() throws {
    try copy()
    try edit("fault-stop-map-early") { $0.replacing("  count    ", with: "  count    1") }
    let result = try test()
    #expect(result.status == 1)
    #expect(result.output.contains("\n      finding    stop/region-exposed\n    -   count    1"), "\(result.output)")
    #expect(result.output.contains("1 not as expected"))
  }

  @Test func eachKindOfFailureHasItsName() throws {
    try copy()
    let files = FileManager.default
    try files.removeItem(at: suite.appendingPathComponent("clean-brief-1.expected"))
    try files.removeItem(at: suite.appendingPathComponent("clean-brief-2.tape"))
    try edit("clean-brief-3") { $0.replacing("verdict ", with: "known-failure somebody says so\nverdict ") }
    try edit("clean-hello") { $0.replacing("verdict ", with: "verdikt ") }
    let whole = try Data(contentsOf: suite.appendingPathComponent("fault-stop-map-early.tape"))
    try whole.dropLast(700).write(to: suite.appendingPathComponent("fault-stop-map-early.tape"))
    try edit("fault-stop-map-late") { $0.replacing("verdict ", with: "known-failure not yet mended\nverdict ").replacing("  vcpu     ", with: "  vcpu     9") }
    let clean = try Data(contentsOf: suite.appendingPathComponent("clean-brief-3.tape"))
    try clean.write(to: suite.appendingPathComponent("fault-stop-double-stop.tape"))
    let result = try test("--format", "json")
    #expect(result.status == 1)
    #expect(
      try statuses(result) == [
        "clean-brief-1.tape": "no-expectation", "clean-brief-2.tape": "no-trace", "clean-brief-3.tape": "unexpected-pass",
        "clean-hello.tape": "bad-expectation", "fault-stop-map-early.tape": "damaged", "fault-stop-map-late.tape": "known-failure",
        "fault-stop-double-stop.tape": "unexpected-pass", "race-foretold.tape": "passed", "damaged-text.tape": "passed",
      ])
    let text = try test()
    #expect(text.output.contains("clean-hello.expected: line 2: expected known-failure, verdict"), "\(text.output)")
    #expect(text.output.contains("damaged  \(suite.path)/fault-stop-map-early.tape: "))
  }

  @Test func damageAloneHasItsStatus() throws {
    try copy(["clean-hello", "clean-brief-1"])
    let file = suite.appendingPathComponent("clean-brief-1.tape")
    try Data(contentsOf: file).dropLast(100).write(to: file)
    #expect(try test().status == 3)
    let kept = try String(contentsOf: suite.appendingPathComponent("clean-brief-1.expected"), encoding: .utf8)
    let refused = try test("--update")
    #expect(refused.status == 3 && refused.output.contains("--accept-damage"), "\(refused.output)")
    #expect(try String(contentsOf: suite.appendingPathComponent("clean-brief-1.expected"), encoding: .utf8) == kept)
    #expect(try test("--update", "--accept-damage").status == 0)
    #expect(try test().status == 0)
  }

  @Test func updateAcceptsAndShowsWhatChanges() throws {
    try copy()
    let whole = try String(contentsOf: suite.appendingPathComponent("race-foretold.expected"), encoding: .utf8)
    let (first, word) = ("expectation 1\n", "expectation 1\n# A word for who reads this.\n")
    try edit("race-foretold") { $0.replacing(first, with: word).replacing("event    ", with: "event    7") }
    let known = "known-failure not yet mended\nverdict "
    try edit("fault-stop-map-late") { $0.replacing("verdict ", with: known).replacing("  vcpu     ", with: "  vcpu     9") }
    try FileManager.default.removeItem(at: suite.appendingPathComponent("clean-hello.expected"))
    let updated = try test("--update")
    #expect(updated.status == 0, "\(updated.output)")
    #expect(updated.output.contains("clean-hello.expected is new") && updated.output.contains("-   event    7"), "\(updated.output)")
    #expect(updated.output.contains("2 updated, 1 known to fail"), "\(updated.output)")
    let now = try String(contentsOf: suite.appendingPathComponent("race-foretold.expected"), encoding: .utf8)
    #expect(now == whole.replacing(first, with: word))
    #expect(try String(contentsOf: suite.appendingPathComponent("fault-stop-map-late.expected"), encoding: .utf8).contains(known), "it says what should be")
    let after = try test()
    #expect(after.status == 0 && after.output.contains("8 passed, 1 known to fail"), "\(after.output)")
  }

  /// Everything but times.
  private func untimed(_ text: String) -> String { text.replacing(/\d+\.\d\d\d s.*/, with: "") }

  @Test(arguments: [false, true])
  func fourShardsMergeToTheWhole(failing: Bool) throws {
    try copy()
    if failing {
      try edit("clean-brief-2") { $0.replacing("events     ", with: "events     1") }
      try edit("race-foretold") { $0.replacing("event    ", with: "event    1") }
    }
    let whole = try test("-v", "--junit", folder.file("whole.xml").path)
    var reports: [String] = []
    // As on machines that have the same at other places.
    for index in 1...4 {
      let report = folder.file("\(index).json").path
      let elsewhere = folder.file("machine \(index)").appendingPathComponent("a/b")
      try FileManager.default.createDirectory(at: elsewhere.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: suite, to: elsewhere)
      let shard = try Tool.run("test", elsewhere.path + (index == 2 ? "/" : ""), "--shard", "\(index)/4", "--report", report)
      #expect(shard.output.contains("(shard \(index)/4 of 9)"))
      reports.insert(report, at: 0)
    }
    let merged = try Tool.run(["test", "--merge", "-v", "--junit", folder.file("merged.xml").path] + reports)
    #expect(merged.status == whole.status && whole.status == (failing ? 1 : 0))
    // Merged, traces are named from their folder.
    #expect(untimed(merged.output) == untimed(whole.output.replacingOccurrences(of: suite.path + "/", with: "")))
    let times = /time="[^"]*"/
    let xml = try ["merged.xml", "whole.xml"].map { name in
      try String(contentsOf: folder.file(name), encoding: .utf8).replacing(times, with: "").replacingOccurrences(of: suite.path + "/", with: "")
        .replacing(/classname="[^"]*"/, with: "")
    }
    #expect(xml[0] == xml[1])
    let less = try Tool.run(["test", "--merge"] + reports.dropLast())
    #expect(less.status == 2 && less.error.contains("1 of 4 shards missing: 1"), "\(less.error)")
    let twice = try Tool.run(["test", "--merge"] + reports.dropLast() + [reports[0]])
    #expect(twice.status == 2 && twice.error.contains("are both shard 4 of 4"), "\(twice.error)")
    // Another suite: a file more, or one byte of a file that is no longer or shorter for it.
    for change in ["one byte", "no expectation"] {
      let file = suite.appendingPathComponent("clean-hello.expected")
      var bytes = try Data(contentsOf: file)
      bytes[bytes.count - 2] ^= 1
      if change == "one byte" { try bytes.write(to: file) } else { try FileManager.default.removeItem(at: file) }
      _ = try test("--shard", "1/4", "--report", reports[3], "--force")
      let other = try Tool.run(["test", "--merge"] + reports)
      #expect(other.status == 2 && other.error.contains("other traces, or other arguments"), "\(change): \(other.error)")
    }
  }

  @Test func aReportThatIsNoneIsBadUse() throws {
    let file = folder.file("x.json")
    for (text, what) in [("", "is not the report of a run"), ("{}", "is missing"), ("{\"form\": \"1\"}", "at form"), ("[[[[", "is not the report of a run")] {
      try text.write(to: file, atomically: true, encoding: .utf8)
      let result = try Tool.run("test", "--merge", file.path)
      #expect(result.status == 2 && result.error.contains(what), "\(result.error)")
    }
  }

  /// Which trace is the first to fail does not depend on how many run at once, and nothing is told beyond it.
  @Test(arguments: [1, 2, 8])
  func failFastEndsAtTheFirstInTheOrderOfNames(jobs: Int) throws {
    try copy()
    for name in ["clean-brief-3", "fault-stop-map-late"] { try edit(name) { $0.replacing("events     ", with: "events     1") } }
    let result = try test("--fail-fast", "-v", "--jobs", "\(jobs)")
    #expect(result.status == 1)
    #expect(result.output.contains("9 traces: 2 passed, 1 not as expected, 6 not run"), "\(result.output)")
    #expect(!result.output.contains("map-late.tape: ") && !result.output.contains("passed  \(suite.path)/clean-hello"))
  }

  @Test func outputDoesNotDependOnJobs() throws {
    try copy()
    try edit("clean-hello") { $0.replacing("events     ", with: "events     1") }
    let alone = try test("-v", "--jobs", "1")
    for jobs in ["2", "16"] { #expect(try untimed(test("-v", "--jobs", jobs).output) == untimed(alone.output)) }
  }

  /// What several arguments have in common is no part of the names.
  @Test(arguments: [
    (["a/b"], ["x.tape", "y.tape"]), (["a/b/x.tape", "a/b/y.expected"], ["x.tape", "y.tape"]), (["a"], ["b/x.tape", "b/y.tape", "c/z.tape"]),
    (["a/b", "a/c"], ["b/x.tape", "b/y.tape", "c/z.tape"]), (["a/b/x.tape", "a/c/"], ["b/x.tape", "c/z.tape"]), (["a/b/y.expected"], ["y.tape"]),
  ])
  func namesAreRelativeToWhatIsShared(arguments: [String], names: [String]) throws {
    for path in ["a/b/x.tape", "a/b/y.expected", "a/c/z.tape"] {
      let file = folder.file(path)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data().write(to: file)
    }
    #expect(try StoredTraces(arguments.map { folder.file("").path + "/" + $0 }).entries.map(\.name) == names)
  }

  @Test func filtersChoose() throws {
    try copy()
    #expect(try statuses(test("--filter", "brief-2", "--filter", "*/race-*", "--format", "json")).keys.sorted() == ["clean-brief-2.tape", "race-foretold.tape"])
    // Without a slash the name counts, wherever the file is.
    #expect(try statuses(test("--filter", "race-*", "--format", "json")).keys.sorted() == ["race-foretold.tape"])
    #expect(try statuses(test("--filter", "*hello.tape", "--format", "json")).keys.sorted() == ["clean-hello.tape"])
    #expect(try test("--filter", "hello*").status == 2)
    let none = try test("--filter", "nothing-like-it")
    #expect(none.status == 2 && none.error.contains("matches --filter nothing-like-it"))
  }

  @Test func nothingToTestIsBadUse() throws {
    #expect(try test().status == 2)
    #expect(try Tool.run("test", folder.file("nowhere").path).status == 2)
    let here = try Tool.run(["-c", "cd \"$1\" && exec \"$0\" test", Tool.path, folder.url.path], path: "/bin/sh")
    #expect(here.status == 2 && here.error.contains("without a path the traces are those of the folder 'traces' here"), "\(here.error)")
    for arguments in [["--shard", "5/4"], ["--shard", "0/4"], ["--shard", "x"], ["--jobs", "0"], ["--merge"], ["--update", "--fail-fast"]] {
      #expect(try Tool.run(["test"] + arguments).status == 2, "\(arguments)")
    }
  }

  /// A minimized trace is stored beside what it was made from, and its expectation says from what: where that is another trace now, it is stale.
  @Test func aMinimizedTraceBelongsToTheOneBesideIt() throws {
    try copy(["clean-hello", "clean-brief-1"])
    let digest = try #require(TraceExpectation(path: suite.appendingPathComponent("clean-hello.expected").path)?.digest)
    for name in ["clean-hello", "clean-brief-1"] {
      var header = TraceHeader(vcpuCount: 1)
      header.properties = [TraceHeader.Property("minimized-from", digest)]
      try TraceWriter(path: suite.appendingPathComponent(name + ".min.tape").path, header: header).finish()
    }
    let updated = try test("--update")
    #expect(updated.status == 1 && updated.output.contains("clean-brief-1.min.tape: is made from another trace than the one beside it"), "\(updated.output)")
    let expectation = try TraceExpectation(path: suite.appendingPathComponent("clean-hello.min.expected").path)
    #expect(expectation?.original == digest)
    #expect(try statuses(test("--format", "json")).filter { $0.value != "passed" } == ["clean-brief-1.min.tape": "differs"])
  }

  @Test func reportsAreNotOverwrittenUnasked() throws {
    try copy(["clean-hello"])
    #expect(try test("--junit", folder.file("x.xml").path).status == 0)
    let again = try test("--junit", folder.file("x.xml").path)
    #expect(again.status == 2 && again.error.contains("--force overwrites it"))
    #expect(try test("--junit", folder.file("x.xml").path, "--force").status == 0)
  }
}
