public import Analyzer
public import TraceEvents
public import TraceFormat
internal import TraceOrder

/// The rule `race/predicted`: what could have broken in a run where nothing did.
///
/// Each seed names events of one vCPU that nothing keeps from happening on the other side of another vCPU's event. The events between are put in that
/// order, with whatever must come first kept first, and judged by the same `Analyzer` that judges recordings, from the state that the trace had
/// come to. Only what it reports is reported: a prediction is never false, as far as the order of events goes.
///
/// An ack that a map did not wait for is searched for broken rules of `stop/`, a write that nothing orders with its page's trace for `tree/gap-write`: those
/// rest on what the order tells, and on no decision that another order would have changed.
///
/// An order is allowed where it keeps every edge of happens-before, and what each decision was based on (`DecisionOrder`): a recorded event stands for
/// what was decided in the state that it found, and means nothing in another.
///
/// Bounded: at most `seedLimit` seeds are tried, of those whose events lie within `windowLimit` of each other. The report says how many there were.
public struct Prediction: ~Copyable, TracePass {
  /// Events that lie further apart are not moved past each other.
  public static let windowLimit: UInt64 = 8192
  public static let seedLimit = 64

  private var analyzer: Analyzer
  private var order: TraceOrder
  private var decisions = DecisionOrder()
  /// By the start of their windows.
  private var waiting: [PredictionSeed]
  private var open: [PredictionWindow] = []
  private let known: Set<Rule>
  private var seq: UInt64 = 0
  private var findings = FindingCollector()
  private var tried = 0
  private let skipped: Int

  /// `known` are the rules that the recording breaks as it is: they need no prediction.
  public init(_ subject: Analyzer.Subject, _ seeds: [PredictionSeed], known: Set<Rule>, tellingFrom floor: UInt64 = 0, tally: BreachTally? = nil) {
    analyzer = Analyzer(subject)
    findings.floor = floor
    findings.tally = tally
    order = TraceOrder(vcpuCount: subject.vcpuCount)
    self.known = known
    let near = Set(seeds).filter { $0.window.upperBound - $0.window.lowerBound < Self.windowLimit }.sorted {
      ($0.window.lowerBound, $0.first, $0.last, $0.anchor, $0.vcpu) < ($1.window.lowerBound, $1.first, $1.last, $1.anchor, $1.vcpu)
    }
    skipped = Set(seeds).count - min(near.count, Self.seedLimit)
    waiting = Array(near.prefix(Self.seedLimit).reversed())
  }

  /// Nothing that comes later matters.
  public var isDone: Bool { waiting.isEmpty && open.isEmpty }

  /// Takes the events of one block, in order.
  public mutating func consume(_ batch: EventBatch) {
    if isDone { return }
    batch.withCursor { cursor in
      while cursor.next() { consume(cursor.event) }
    }
  }

  /// Numbers that are missing say as much.
  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {}

  /// Takes one event.
  public mutating func consume(_ event: Event) {
    if event.seq > seq + 1, seq > 0 { forget() }
    while let seed = waiting.last, seed.window.lowerBound <= event.seq {
      waiting.removeLast()
      if seed.window.lowerBound == event.seq { open.append(PredictionWindow(seed, analyzer.copied(), after: seq)) }
    }
    order.take(event)
    if open.isEmpty { decisions = DecisionOrder() }
    let based = open.isEmpty ? [] : decisions.take(event)
    for index in open.indices { open[index].append(event, after: order.sources + based) }
    analyzer.consume(event)
    seq = event.seq
    close { $0.seed.window.upperBound <= event.seq }
  }

  /// A hole: windows that lie across it cannot be judged.
  private mutating func forget() {
    order.forget()
    decisions = DecisionOrder()
    open.removeAll()
  }

  private mutating func close(where isOver: (PredictionWindow) -> Bool) {
    for window in open where isOver(window) {
      tried += 1
      guard let found = window.judge(known: known) else { continue }
      let seed = window.seed
      let (vcpu, anchor) = (seed.vcpu, seed.anchor)
      let events = seed.first == seed.last ? "event \(seed.first)" : "events \(seed.first) to \(seed.last)"
      let side = seed.side == .before ? "before" : "after"
      findings.report(
        .racePredicted, seq: anchor, vcpu: vcpu, gpa: found.inner.gpa, otherRIP: found.inner.rip,
        expected: "No order of the recorded events that happens-before allows breaks a rule.",
        observed: "Nothing keeps vCPU \(vcpu)'s \(events) from coming \(side) event \(anchor), and in that order \(found.inner.rule.name) breaks.",
        because: found.inner.because, evidence: .reordering(found.witness))
      findings.settle()
    }
    open.removeAll(where: isOver)
  }

  /// What was foretold, and how far the search went.
  public consuming func finish() -> PredictionReport {
    PredictionReport(
      findings: Array(findings.findings.values), places: findings.places, tried: tried, skipped: skipped + waiting.count + open.count,
      tally: findings.tally)
  }
}

/// What `Prediction` has to say.
public struct PredictionReport: Sendable {
  public var findings: [Finding]
  /// By rule: the events at which it broke, as in a `Verdict`.
  public var places: [Rule: [UInt64]]
  /// Reorderings that were judged.
  public var tried: Int
  /// Seeds that were not: too many, too far apart, or across a hole.
  public var skipped: Int
  /// As in a `Verdict`.
  public var tally: BreachTally?
}
