import Regression
import Reports
import Testing

/// Reports of runs: what they come to, and what can be merged.
struct SuiteReportTests {
  static func results(_ count: Int) -> [TraceResult] {
    (0..<count).map { TraceResult(trace: "t/\(10 + $0).tape", status: $0 == 5 ? .differs : .passed) }
  }

  static func report(_ results: [TraceResult], shard: SuiteReport.Shard? = nil, of count: Int) -> SuiteReport {
    SuiteReport(version: "1", shard: shard, suiteCount: count, suiteDigest: "d", seconds: 1, results: results)
  }

  static func shards(_ count: Int, of traces: Int) throws -> [(name: String, report: SuiteReport)] {
    try (1...count).map { index in
      let shard = try #require(SuiteReport.Shard(index: index, count: count))
      let held = results(traces).enumerated().filter { shard.holds($0.offset) }.map(\.element)
      return ("\(index).json", report(held, shard: shard, of: traces))
    }
  }

  @Test(arguments: [(1, 7), (2, 7), (4, 17), (5, 3), (3, 0)])
  func shardsMakeUpTheWholeInAnyOrder(count: Int, traces: Int) throws {
    let merged = try SuiteReport(merging: try Self.shards(count, of: traces).shuffled())
    #expect(merged == Self.report(Self.results(traces), of: traces))
  }

  static func mergeError(_ change: (inout [(name: String, report: SuiteReport)]) -> Void) throws -> String {
    var shards = try Self.shards(4, of: 17)
    change(&shards)
    let error = #expect(throws: SuiteReport.MergeError.self) { try SuiteReport(merging: shards) }
    return error?.description ?? ""
  }

  @Test func whatDoesNotBelongTogetherIsNotMerged() throws {
    #expect(try Self.mergeError { $0 = [] } == "no report to merge")
    #expect(try Self.mergeError { $0.remove(at: 2) } == "1 of 4 shards missing: 3")
    #expect(try Self.mergeError { $0[2] = ("again.json", $0[1].report) } == "2.json and again.json are both shard 2 of 4")
    #expect(try Self.mergeError { $0[2].report.shard = nil }.contains("3.json: is not the report of a shard"))
    #expect(try Self.mergeError { $0[2].report.shard = SuiteReport.Shard(index: 3, count: 5) }.contains("they are not of one run"))
    #expect(try Self.mergeError { $0[2].report.version = "2" }.contains("is of pagetape 2"))
    #expect(try Self.mergeError { $0[2].report.suiteDigest = "e" }.contains("other traces, or other arguments"))
    #expect(try Self.mergeError { $0[2].report.suiteCount = 18 }.contains("other traces, or other arguments"))
    #expect(try Self.mergeError { $0[2].report.form = 2 }.contains("form 2"))
    #expect(try Self.mergeError { $0[2].report.shard?.index = 9 }.contains("there is no shard 9/4"))
  }

  @Test func whatOverlapsOrHasHolesIsNotMerged() throws {
    #expect(try Self.mergeError { $0[2].report.results[0] = $0[1].report.results[0] } == "t/11.tape is in 2.json and in 3.json")
    #expect(try Self.mergeError { $0[2].report.results[0] = $0[2].report.results[1] } == "t/16.tape is in 3.json and in 3.json")
    #expect(try Self.mergeError { $0[2].report.results.removeLast() } == "the shards hold 16 traces, and the suite 17")
    #expect(try Self.mergeError { $0[0].report.results.append($0[2].report.results.removeLast()) }.contains("too few for its shard"))
  }

  @Test func aCountFromAStrangerIsNotCountedUpTo() throws {
    let shard = try #require(SuiteReport.Shard(index: 1, count: .max))
    #expect(throws: SuiteReport.MergeError.self) { try SuiteReport(merging: [("a", Self.report([], shard: shard, of: .max))]) }
  }

  static let outcomes: [(statuses: [TraceResult.Status], outcome: SuiteReport.Outcome)] = [
    ([.passed, .updated, .knownFailure, .notRun], .passed), ([.passed, .differs, .damaged], .failed), ([.unexpectedPass], .failed),
    ([.noExpectation], .failed), ([.noTrace], .failed), ([.damaged, .passed], .damaged), ([.damaged, .ioError], .unreadable), ([.badExpectation], .unreadable),
  ]

  @Test(arguments: outcomes)
  func theWorstDecides(statuses: [TraceResult.Status], outcome: SuiteReport.Outcome) {
    #expect(Self.report(statuses.map { TraceResult(trace: "x", status: $0) }, of: statuses.count).outcome == outcome)
  }

  @Test func theSummaryCounts() {
    let text = Self.report(Self.results(7), of: 7).summary(style: .plain)
    #expect(text.contains("7 traces: 6 passed, 1 not as expected\n"), "\(text)")
  }

  @Test func junitEscapesWhatXMLCannotHold() {
    var result = TraceResult(trace: "a&b/<x>.tape", status: .differs, message: "\"\u{1b}[31m\"")
    result.difference = ["- a < b", "+ ]]>"]
    let xml = Self.report([result, TraceResult(trace: "y.tape", status: .damaged), TraceResult(trace: "z.tape", status: .notRun)], of: 3).junit
    #expect(xml.contains("<testcase classname=\"a&amp;b\" name=\"&lt;x&gt;.tape\""))
    #expect(xml.contains("message=\"&quot;\u{fffd}[31m&quot;\">- a &lt; b\n+ ]]&gt;</failure>"))
    #expect(xml.contains("tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"1\""))
  }

  @Test(arguments: [
    ("a", "xay", true), ("b", "xay", false), ("*.tape", "a/b.tape", true), ("a?c", "abc", true), ("a?c", "xabc", false),
    ("*a*a*a*a*b", "aaaaaaaaaaaaaaaa", false), ("*", "", true), ("a*c", "abcbc", true),
  ])
  func filtersMatch(pattern: String, name: String, matches: Bool) {
    #expect(NamePattern(pattern).matches(name) == matches)
  }
}
