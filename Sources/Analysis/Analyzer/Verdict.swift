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
  /// Writes to protected memory that did not take effect: attempts, not findings.
  public var stopped: StoppedWrites
  /// Where races are possible, for a closer look: `Races` takes them.
  public var suspects: RaceSuspects
  /// By rule: the events at which it broke, repeats too, in the order of discovery; of each rule 16,384 at most.
  public var places: [Rule: [UInt64]]
  /// Where rules broke, and what of it an allow-list expects: that is in no finding and in no `places`. Nil where nobody asked for it.
  public var tally: BreachTally?

  /// How far other orders of the events were searched for `race/predicted`; nil where there was nothing to search.
  public var prediction: SearchBound?

  /// What a bounded search covered.
  public struct SearchBound: Hashable, Sendable {
    /// Orders that were judged.
    public var tried: Int
    /// Orders that were not.
    public var skipped: Int
    /// Events that lie further apart than so many were not moved past each other.
    public var window: UInt64

    public init(tried: Int, skipped: Int, window: UInt64) {
      self.tried = tried
      self.skipped = skipped
      self.window = window
    }
  }

  init(
    events: UInt64, lost: UInt64, findings: [Finding], undecided: [String], isIncomplete: Bool, stopped: StoppedWrites, suspects: RaceSuspects,
    places: [Rule: [UInt64]], tally: BreachTally?
  ) {
    self.events = events
    self.lost = lost
    self.findings = findings
    self.undecided = undecided
    self.isIncomplete = isIncomplete
    self.stopped = stopped
    self.suspects = suspects
    self.places = places
    self.tally = tally
    outcome = Self.outcome(findings, isIncomplete)
  }

  /// Takes in what a closer look found, and where.
  public mutating func add(_ more: [Finding], places morePlaces: [Rule: [UInt64]] = [:], tally moreTally: BreachTally? = nil) {
    places.merge(morePlaces) { $0 + $1 }
    tally?.merge(moreTally)
    findings = (findings + more).sorted { ($0.seq, $0.rule.name) < ($1.seq, $1.rule.name) }
    outcome = Self.outcome(findings, isIncomplete)
  }

  /// Something more is left open.
  public mutating func note(_ open: String) { undecided.append(open) }

  /// The verdict on the rules that `glob` names alone. A hole stays a hole for every rule, and its findings stay listed: nothing held across it.
  public func restricted(to glob: RuleGlob) -> Verdict {
    var verdict = self
    verdict.findings = findings.filter { glob.matches($0.rule) || $0.rule.severity == .loss }
    verdict.tally = tally?.restricted(to: glob)
    verdict.outcome = Self.outcome(verdict.findings, isIncomplete)
    return verdict
  }

  private static func outcome(_ findings: [Finding], _ isIncomplete: Bool) -> Outcome {
    if findings.contains(where: { $0.rule.severity == .violation }) { return .violated }
    return isIncomplete ? .incomplete : .clean
  }
}

extension Verdict: CustomStringConvertible {
  /// All of it, alike for equal verdicts.
  public var description: String {
    let repeats = places.sorted { $0.key.name < $1.key.name }.map { "\($0.key.name) at \($0.value)" }
    let expected = tally?.allowList == nil ? "" : ", expected \(tally?.expected ?? [])"
    return "\(outcome), \(events) events, \(lost) lost\(isIncomplete ? ", incomplete" : ""), findings \(findings), "
      + "undecided \(undecided), stopped \(stopped.count) \(stopped.byInstruction), suspects \(suspects), "
      + "prediction \(prediction.map { "\($0)" } ?? "none"), places \(repeats)\(expected)"
  }
}
