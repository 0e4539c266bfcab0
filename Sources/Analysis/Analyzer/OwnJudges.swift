internal import TraceEvents

/// Judges of a user's own, and the reports that they write to.
struct OwnJudges: ~Copyable {
  private var judges: [any RuleJudge]
  private let rules: [Rule]
  private var report = BreachReport()

  /// Each must decide a rule of its own.
  init(_ judges: [any RuleJudge]) {
    self.judges = judges
    rules = judges.map(\.rule)
    for rule in rules { precondition(!rule.isBuiltIn, "a RuleJudge decides \(rule.name), which is a built-in rule") }
    precondition(Set(rules.map(\.name)).count == rules.count, "two RuleJudges decide one rule, of \(rules.map(\.name))")
  }

  var isEmpty: Bool { judges.isEmpty }

  mutating func judge(_ event: Event, _ facts: borrowing Facts, _ protection: inout Protection, _ findings: inout FindingCollector) {
    each(facts, &protection, &findings) { judge, machine, report in judge.judge(event, machine, &report) }
  }

  mutating func noteHole(after seq: UInt64, _ findings: inout FindingCollector) {
    take(&findings) { judge, report in judge.noteHole(after: seq, &report) }
  }

  mutating func finish(
    _ facts: borrowing Facts, _ protection: inout Protection, isEnded: Bool, _ findings: inout FindingCollector, _ undecided: inout [String]
  ) {
    each(facts, &protection, &findings) { judge, machine, report in judge.finish(isEnded: isEnded, machine, &report) }
    undecided += report.undecided
  }

  private mutating func each(
    _ facts: borrowing Facts, _ protection: inout Protection, _ findings: inout FindingCollector,
    _ body: (inout any RuleJudge, MachineView, inout BreachReport) -> Void
  ) {
    // SAFETY: the view is made of pointers that are valid in the closure that it is lent in.
    unsafe withUnsafePointer(to: facts) { facts in
      unsafe withUnsafePointer(to: &protection) { protection in
        take(&findings) { judge, report in body(&judge, unsafe MachineView(facts, protection), &report) }
      }
    }
  }

  /// Lets each judge in turn write to the findings.
  private mutating func take(_ findings: inout FindingCollector, _ body: (inout any RuleJudge, inout BreachReport) -> Void) {
    swap(&report.findings, &findings)
    for index in judges.indices {
      report.rule = rules[index]
      body(&judges[index], &report)
    }
    swap(&report.findings, &findings)
    if findings.hasPending { findings.settle() }
  }
}
