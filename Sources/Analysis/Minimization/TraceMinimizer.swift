public import Analyzer
internal import Races
public import TraceEvents
public import TraceFormat

/// Finds the few events of a trace that still show one of its findings (delta debugging, Zeller and Hildebrandt 2002), and keeps together what
/// belongs together.
///
/// A part of the trace counts where the analyzer itself finds the same in it: the same rule, at the same event and place, for the same reasons, and
/// nothing that it does not find in the whole. The search goes by numbers of tests, not by time: one trace and one finding give one result.
public struct TraceMinimizer {
  /// Events that all tests together may judge, before the search settles for what it has.
  static let effort = 1 << 29

  let header: TraceHeader
  let subject: Analyzer.Subject
  private let judges: () -> [any RuleJudge]

  /// A minimizer for traces of this header; `subject` is what the header says to the analyzer. `judges` makes judges of rules of the user's own, which
  /// have seen nothing yet: each part of a trace that is tried is shown to new ones.
  public init(header: TraceHeader, subject: Analyzer.Subject, judges: @escaping () -> [any RuleJudge] = { [] }) {
    self.header = header
    self.subject = subject
    self.judges = judges
  }

  /// What is told of a rule is its first break from event `floor` on.
  func verdict(on source: some TraceSource, isComplete: Bool = true, tellingFrom floor: UInt64 = 0) -> Verdict {
    Verdict(of: source, subject, judges: judges(), isComplete: isComplete, tellingFrom: floor)
  }

  /// The few events of `source` that show what `verdict`, the verdict on all of it, finds of a rule that `rule` matches: the first such finding, or what
  /// is found at event `seq`, be it a repeat. `isComplete` as for `Verdict`.
  public func minimize(
    _ source: some TraceSource, verdict: Verdict, rule: RuleGlob, at seq: UInt64? = nil, isComplete: Bool = true
  ) throws(MinimizationError) -> MinimizedTrace {
    let finding = try choose(source, verdict, rule, seq, isComplete)
    let target = MinimizationTarget(finding, in: verdict)
    var survey = TraceSurvey()
    source.run(&survey)
    let collected = collect(source, Relevance(target, survey.pages), survey, finding.seq)
    var search = MinimizationSearch(collected, target, self)
    let kept = try search.run()
    do {
      let part = try EventSubset(kept, of: search.all, header: writtenHeader)
      let verdict = self.verdict(on: part)
      guard let shown = target.shown(in: target.verdict(on: part, self), original: part.original) else {
        throw MinimizationError.outOfReach(finding, collected)
      }
      return MinimizedTrace(
        header: writtenHeader(finding, of: survey), events: search.all.renumbered(kept), finding: shown, original: finding,
        originalCount: survey.count, verdict: verdict, tests: search.tests)
    } catch let error as MinimizationError {
      throw error
    } catch {
      throw MinimizationError(.notWritable, "the events fit no trace: \(error)")
    }
  }

  private func choose(
    _ source: some TraceSource, _ verdict: Verdict, _ rule: RuleGlob, _ seq: UInt64?, _ isComplete: Bool
  ) throws(MinimizationError) -> Finding {
    var findings = verdict.findings
    if let seq, verdict.places.contains(where: { rule.matches($0.key) && $0.value.contains(seq) }) {
      findings = self.verdict(on: source, isComplete: isComplete, tellingFrom: seq).findings
    }
    let matching = findings.filter { rule.matches($0.rule) && (seq == nil || $0.seq == seq) }
    if let finding = matching.first(where: { $0.rule.severity != .loss }) { return finding }
    if let loss = matching.first { throw MinimizationError(.isLoss, "\(loss.rule.name) says that events are missing: no events show that") }
    throw MinimizationError.noFinding(rule, at: seq, among: verdict.findings)
  }

  private func collect(_ source: some TraceSource, _ relevance: Relevance, _ survey: TraceSurvey, _ target: UInt64) -> EventCollector {
    var threshold = UInt64.max
    if survey.count > EventCollector.eventLimit || survey.dataCount > EventCollector.dataLimit {
      var counts = RelevanceCount(relevance)
      source.run(&counts)
      threshold = counts.threshold
    }
    var collector = EventCollector(relevance, threshold: threshold, target: target)
    source.run(&collector)
    return collector
  }

  /// The header in the version that is written; kinds that this version does not know are not in it.
  var writtenHeader: TraceHeader {
    var copy = TraceHeader(
      vcpuCount: header.vcpuCount, memory: header.memory, region: header.region, attribution: header.attribution, startTime: header.startTime,
      properties: header.properties)
    copy.clockFrequency = header.clockFrequency
    return copy
  }

  /// Says what was made from what.
  private func writtenHeader(_ finding: Finding, of survey: TraceSurvey) -> TraceHeader {
    typealias Name = TraceHeader.Property.Name
    var header = writtenHeader
    // One that was made smaller already says of which recording in the end.
    if header.property(Name.minimizedFrom) == nil { header.properties.append(TraceHeader.Property(Name.minimizedFrom, survey.digest.text)) }
    header.properties.removeAll { $0.name == Name.minimizedFinding }
    header.properties.append(TraceHeader.Property(Name.minimizedFinding, finding.rule.name))
    return header
  }
}

/// A trace made smaller.
public struct MinimizedTrace: Sendable {
  /// With the properties `minimized-from` and `minimized-finding`.
  public var header: TraceHeader
  /// Numbered from 1.
  public var events: [Event]
  /// As these events show it.
  public var finding: Finding
  /// As the whole trace shows it.
  public var original: Finding
  public var originalCount: Int
  /// The analyzer's verdict on these events.
  public var verdict: Verdict
  /// Where the rule breaks before: a repeat that does not show without an earlier break. Nil where the finding is the first.
  public var earlier: UInt64? { verdict.findings.first { $0.rule == finding.rule && $0.seq < finding.seq }?.seq }
  /// Parts that were judged on the way.
  public var tests: Int
}
