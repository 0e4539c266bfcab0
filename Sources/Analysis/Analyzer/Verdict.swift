/// What the analyzer says of a trace.
public struct Verdict: Sendable {
  public enum Outcome: String, Sendable {
    /// Every event is there and every rule held.
    case clean
    /// Some rule was broken (there may be holes besides).
    case violated
    /// No rule was broken in what is there, but something is missing.
    case incomplete
  }

  public var outcome: Outcome
  /// Events judged.
  public var events: UInt64
  /// Events known to be missing; a hole of unknown size adds nothing here, but makes the trace incomplete all the same.
  public var lost: UInt64
  /// By seq of the first break, earliest first.
  public var findings: [Finding]
  /// What the end of the recording, or a hole in it, left open: neither kept nor broken.
  public var undecided: [String]
  /// Something is missing: events were lost, bytes are damaged, or the recording did not end by itself.
  public var isIncomplete: Bool

  init(events: UInt64, lost: UInt64, findings: [Finding], undecided: [String], isIncomplete: Bool) {
    self.events = events
    self.lost = lost
    self.findings = findings
    self.undecided = undecided
    self.isIncomplete = isIncomplete
    outcome = Self.outcome(findings, isIncomplete)
  }

  /// The verdict on the rules that `glob` names alone. A hole stays a hole for every rule, and its findings stay listed: nothing held across it.
  public func restricted(to glob: RuleGlob) -> Verdict {
    var verdict = self
    verdict.findings = findings.filter { glob.matches($0.rule) || $0.rule.severity == .loss }
    verdict.outcome = Self.outcome(verdict.findings, isIncomplete)
    return verdict
  }

  private static func outcome(_ findings: [Finding], _ isIncomplete: Bool) -> Outcome {
    if findings.contains(where: { $0.rule.severity == .violation }) { return .violated }
    return isIncomplete ? .incomplete : .clean
  }
}
