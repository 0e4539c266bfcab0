import Analyzer
import Regression
import Testing

/// What differs is told line by line, below what it belongs to.
struct DifferenceTests {
  static func lines(_ change: (inout TraceExpectation) -> Void) -> [String] {
    var came = Expectations.full
    change(&came)
    return ExpectationDifference(expected: Expectations.full, came: came).lines
  }

  @Test func theSameDiffersInNothing() {
    #expect(Self.lines { _ in } == [])
    #expect(Self.lines { ($0.comments, $0.knownFailure) = ([], nil) } == [], "those are no part of what is compared")
  }

  @Test func aFactOfTheTrace() {
    #expect(Self.lines { $0.events = 263 } == ["- events     262", "+ events     263"])
  }

  @Test func aFactOfAFindingIsToldBelowIt() {
    #expect(Self.lines { $0.findings[0].count = 238 } == ["  finding    stop/region-exposed", "-   count    240", "+   count    238"])
    #expect(
      Self.lines { $0.findings[0].vcpu = nil } == ["  finding    stop/region-exposed", "-   vcpu     0"])
  }

  @Test func aLinkOfTheChain() {
    #expect(
      Self.lines { $0.findings[0].because.remove(at: 0) } == [
        "  finding    stop/region-exposed", "-   because  [30] vCPU 1 entered the guest and has not left it",
      ])
    #expect(
      Self.lines { $0.findings[0].because.insert(.init(event: 35, what: "more"), at: 1) } == [
        "  finding    stop/region-exposed", "+   because  [35] more",
      ])
  }

  @Test func aFindingThatIsGoneStandsWhereItStood() {
    #expect(
      Self.lines {
        $0.findings.remove(at: 0)
        $0.findings[0].count = 2
      }.map { $0.prefix(2) + String($0.dropFirst(2).prefix { $0 == " " }) } == Array(repeating: "- ", count: 1) + Array(repeating: "-   ", count: 8)
        + ["  ", "-   ", "+   "])
  }

  @Test func aNewFindingIsToldWhole() {
    var more = TraceExpectation.Finding(rule: "stop/wrong-wake")
    more.event = 44
    #expect(Self.lines { $0.findings.insert(more, at: 1) } == ["+ finding    stop/wrong-wake", "+   count    1", "+   event    44"])
  }

  /// A fact in every place: none may be changed without a difference.
  @Test func nothingIsLeftOut() {
    let changes: [(inout TraceExpectation) -> Void] = [
      { $0.outcome = .clean }, { $0.recorded = "x" }, { $0.recorded = nil }, { $0.events = 1 }, { $0.lost = 0 }, { $0.digest = nil }, { $0.original = nil },
      { $0.damage = [] }, { $0.damage.append("x") }, { $0.undecided = [] }, { $0.search = nil }, { $0.search?.skipped = 0 }, { $0.findings = [] },
      { $0.findings[0].rule = "a/b" }, { $0.findings[0].count = 1 }, { $0.findings[0].event = 1 }, { $0.findings[0].vcpu = 1 }, { $0.findings[0].gpa = 1 },
      { $0.findings[0].rip = nil }, { $0.findings[0].because[1].event = 40 }, { $0.findings[0].because[1].what = "x" }, { $0.findings[0].also = [] },
      { $0.findings[1].witness = "x" },
    ]
    for (index, change) in changes.enumerated() { #expect(!Self.lines(change).isEmpty, "change \(index)") }
  }

  /// Memory and output stay small, whatever the trace.
  @Test func veryLongDifferencesAreCut() {
    let long = Self.lines { $0.undecided = (0..<100_000).map { "whether \($0)" } }
    #expect(long.count == 201)
    #expect(long.last?.contains("more lines") == true)
  }
}
