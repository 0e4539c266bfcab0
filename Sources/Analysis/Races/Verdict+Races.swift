public import Analyzer
public import TraceFormat

extension Verdict {
  /// Judges a stored trace by every rule, and by those of the user's own that `judges` decide.
  ///
  /// It reads the trace from the start, up to three times, and never refuses what is damaged: `isIncomplete` and the findings of `trace/` say what is missing.
  /// With a `tally` the breaches that its allow-list names are expected, and all are counted by their places.
  public init(of trace: some StoredTrace, judges: [any RuleJudge] = [], tally: BreachTally? = nil) {
    self.init(of: trace, Analyzer.Subject(trace.header), judges: judges, isComplete: trace.isComplete, tally: tally)
  }

  /// Judges a whole trace by every rule: once through for most of them; where races are possible, once more with eyes for those pages alone; and where
  /// another order of events could break a rule, once more for that.
  ///
  /// `judges` decide rules of the user's own; they see the trace the first time through. `isComplete` is asked after that. Of each rule the first break
  /// from event `floor` on is the one that is told in full.
  public init(
    of source: some TraceSource, _ subject: Analyzer.Subject, judges: [any RuleJudge] = [], isComplete: @autoclosure () -> Bool,
    tellingFrom floor: UInt64 = 0, tally: BreachTally? = nil
  ) {
    var analyzer = Analyzer(subject, judges: judges, tellingFrom: floor, tally: tally)
    source.run(&analyzer)
    self = analyzer.finish(isComplete: isComplete())
    if suspects.isEmpty { return }

    var races = RaceAnalysis(subject, suspects, tellingFrom: floor, tally: tally)
    source.run(&races)
    let found = races.finish()
    add(found.findings, places: found.places, tally: found.tally)
    for open in found.undecided { note(open) }
    if suspects.isCut, !found.undecided.contains(RaceAnalysis.cutText) { note(RaceAnalysis.cutText) }

    let seeds = suspects.orders.map { PredictionSeed($0) } + found.seeds
    if seeds.isEmpty { return }
    // What the recording breaks as it is needs no prediction, be it expected or not.
    let known = Set(findings.map(\.rule)).union(self.tally?.expected.map(\.rule) ?? [])
    var search = Prediction(subject, seeds, known: known, tellingFrom: floor, tally: tally)
    source.run(&search)
    let foretold = search.finish()
    add(foretold.findings, places: foretold.places, tally: foretold.tally)
    prediction = SearchBound(tried: foretold.tried, skipped: foretold.skipped, window: Prediction.windowLimit)
  }
}
