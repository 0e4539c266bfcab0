import Analyzer
import Foundation
import Minimization
import Races
import Regression
import ReportPage
import Reports
import Testing
import Timeline
import TraceEvents
import TraceFile
import TraceFormat

/// A rule of a user's own on stored traces: in the verdict, in every report, and in an expectation.
struct OwnRuleTests {
  /// At most so many rendezvous begin while the same vCPU is the first in.
  private struct FairFirst: RuleJudge {
    let rule: Rule
    let limit: Int
    private var row: [Event] = []

    init(limit: Int) throws {
      rule = try Rule("acme/fair-first", statement: "No vCPU is the first into the privileged mode more than \(limit) times in a row.")
      self.limit = limit
    }

    mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {
      guard event.kind == .rendezvousClaim else { return }
      if row.last?.vcpu != event.vcpu { row = [] }
      row.append(event)
      guard row.count > limit else { return }
      report.breach(
        at: event, expected: "another vCPU", observed: "vCPU \(event.vcpu) for the \(row.count). time",
        because: row.dropLast().map { Finding.Reason(seq: $0.seq, what: "vCPU \(event.vcpu) claimed a rendezvous") })
    }

    mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) { row = [] }
  }

  private static func reader(_ name: String) throws -> TraceReader { try TraceReader(path: CorpusTests.folder.appendingPathComponent(name).path) }

  private static func verdict(_ name: String, limit: Int) throws -> (verdict: Verdict, reader: TraceReader) {
    let reader = try reader(name)
    return (Verdict(of: reader, judges: [try FairFirst(limit: limit)]), reader)
  }

  @Test("it holds where it holds", arguments: ["clean-stop-storm-4.tape", "fault-stop-map-early.tape", "damaged-truncated.tape"])
  func holds(name: String) throws {
    let (verdict, reader) = try Self.verdict(name, limit: .max)
    let plain = Verdict(of: reader)
    #expect("\(verdict)" == "\(plain)")
  }

  @Test("where it breaks, every report says so")
  func breaks() throws {
    let (verdict, reader) = try Self.verdict("clean-stop-storm-4.tape", limit: 0)
    #expect(verdict.outcome == .violated)
    let finding = try #require(verdict.findings.first)
    #expect(verdict.findings.count == 1 && finding.rule.name == "acme/fair-first" && finding.count > 1)
    #expect(verdict.text(name: "storm").contains("acme/fair-first  event \(finding.seq), vCPU \(finding.vcpu ?? 99)"))
    #expect(verdict.json.text.contains(#""rule": "acme/fair-first", "severity": "violation""#))

    let expectation = TraceExpectation(verdict, header: reader.header, digest: String(repeating: "0", count: 32), damage: [])
    let again = try TraceExpectation(parsing: expectation.text.utf8)
    #expect(again.findings.map(\.rule) == ["acme/fair-first"] && again == expectation)

    var timeline = Timeline(vcpuCount: reader.header.vcpuCount, watching: verdict.watch)
    reader.run(&timeline)
    timeline.finish()
    let page = ReportPage(
      name: "storm", producer: "test", summary: TraceSummary(of: reader), verdict: verdict, timeline: timeline, snapshots: [])
    #expect(page.html.contains("acme/fair-first") && page.html.contains("No vCPU is the first into the privileged mode more than 0 times in a row."))
  }

  @Test("a finding of it is minimized like any other")
  func minimized() throws {
    let (verdict, reader) = try Self.verdict("clean-stop-storm-4.tape", limit: 0)
    let judge = try FairFirst(limit: 0)
    let minimizer = TraceMinimizer(header: reader.header, subject: Analyzer.Subject(reader.header)) { [judge] }
    let small = try minimizer.minimize(reader, verdict: verdict, rule: RuleGlob("acme/*"), isComplete: reader.isComplete)
    #expect(small.finding.rule == judge.rule && small.events.count < 100 && small.events.contains { $0.kind == .rendezvousClaim })
    #expect(small.verdict.findings.map(\.rule) == [judge.rule])
  }
}
