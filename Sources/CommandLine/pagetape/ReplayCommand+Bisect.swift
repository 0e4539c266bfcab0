import Analyzer
import Regression
import Reports
import TraceFile
import TraceSuite

extension ReplayCommand {
  private enum Judgement: String {
    case good, bad
    case unknown = "cannot be judged"
  }

  /// What `git bisect run` wants to know: 0 good, 1 bad, 125 where this version cannot tell.
  func bisected() throws {
    let (judgement, lines) = try rule.map { try judge(byRule: $0) } ?? judgeByExpectation()
    try Terminal.output("\(judgement.rawValue)  \(file): \(lines.joined(separator: "\n    "))\n")
    switch judgement {
    case .good: try ExitStatus.clean.end()
    case .bad: try ExitStatus.findings.end()
    case .unknown: try ExitStatus.skipped.end()
    }
  }

  private func judge(byRule rule: String) throws -> (Judgement, [String]) {
    let reader = try Traces.open(file)
    let list = try lists.load(try names.load())
    let verdict = Replay.verdict(of: reader, tally: list?.tally).restricted(to: RuleGlob(rule))
    let broken = verdict.findings.filter { $0.rule.severity != .loss }.map { "\($0.rule.name) at event \($0.seq)" }
    if !broken.isEmpty { return (.bad, ["broken: " + broken.joined(separator: ", ")]) }
    if verdict.isIncomplete { return (.unknown, ["nothing that matches '\(rule)' is broken, but the trace is incomplete or damaged"]) }
    return (.good, ["nothing that matches '\(rule)' is broken"])
  }

  private func judgeByExpectation() throws -> (Judgement, [String]) {
    let path = expect ?? TraceExpectation.path(forTrace: file)
    let expected: TraceExpectation?
    do { expected = try TraceExpectation(path: path) } catch { throw Failure("\(error)") }
    guard let expected else { throw Failure("\(path): no such file; --bisect needs --rule or an expectation ('pagetape test --update' writes one)") }
    let list: AllowList?
    do { list = try AllowList.beside(trace: file) } catch { throw Failure("\(error)") }
    let came: TraceExpectation
    do { came = try TraceExpectation(replaying: file, allowing: list) } catch { throw Traces.failure(error) }
    let result = TraceResult(trace: file, expected: expected, came: came)
    switch result.status {
    case .passed: return (.good, ["as expected in \(path)"])
    case .damaged: return (.unknown, ["is damaged: " + (result.message ?? "")])
    // Whether it is judged as it should be is the question, not whether anybody knows that it is not.
    case .unexpectedPass where result.difference.isEmpty: return (.good, ["as it should be by \(path)"])
    default: return (.bad, ["not as expected in \(path) (- was expected, + came)"] + result.difference)
    }
  }
}
