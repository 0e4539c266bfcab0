internal import Analyzer
internal import Races

/// The finding that must stay, and everything that the whole trace has to say besides: what a part of the trace may say.
///
/// A part of a trace shows the same finding where the analyzer reports the same rule there, at the same event and place, for the same reasons. All
/// numbers of events are compared as numbers of the original.
struct MinimizationTarget {
  let finding: Finding
  private let reasons: Set<Finding.Reason>
  private let accesses: [Finding.Access]
  private let foretold: Rule?
  /// By rule, the events at which the whole trace breaks it.
  private let known: [Rule: Set<UInt64>]
  private let listed: Set<Rule>
  /// The rule broke earlier, too: a part may, but need not, show that.
  let isRepeat: Bool

  /// `verdict` is the one on the whole trace.
  init(_ finding: Finding, in verdict: Verdict) {
    self.finding = finding
    reasons = Set(finding.because.map { Self.plain($0) { $0 } })
    accesses = Self.accesses(finding) { $0 }
    foretold = Self.foretold(finding)
    known = verdict.places.mapValues { Set($0) }
    isRepeat = verdict.findings.contains { $0.rule == finding.rule && $0.seq < finding.seq }
    listed = Set(known.keys).union(verdict.findings.flatMap(\.also)).union(finding.also)
  }

  /// Events that the finding itself speaks of.
  var mentioned: Set<UInt64> {
    var seqs: Set = [finding.seq]
    seqs.formUnion(finding.because.map(\.seq))
    for access in accesses { seqs.formUnion([access.seq, access.since ?? access.seq]) }
    if case .reordering(let witness) = finding.evidence { seqs.formUnion((witness.steps + witness.later).map(\.seq)) }
    return seqs
  }

  /// The verdict on a part, which tells of a repeat where it tells of the first break otherwise.
  func verdict(on part: EventSubset, _ minimizer: TraceMinimizer) -> Verdict {
    minimizer.verdict(on: part, tellingFrom: isRepeat ? part.number(finding.seq) : 0)
  }

  /// What a part's verdict says of the finding.
  enum Showing {
    /// The same finding, and nothing that the whole trace does not say.
    case whole(Finding)
    /// The part says other things, too: at these events, as numbered in the part, a rule breaks that holds in the whole trace, or breaks elsewhere there.
    case withOthers([Finding])
    case nothing
  }

  /// The finding in a part's verdict, nil where that says another thing than the whole trace's. `original` gives the number that an event had there.
  func shown(in verdict: borrowing Verdict, original: (UInt64) -> UInt64) -> Finding? {
    if case .whole(let finding) = showing(in: verdict, original: original) { finding } else { nil }
  }

  func showing(in verdict: borrowing Verdict, original: (UInt64) -> UInt64) -> Showing {
    var found: Finding?
    var others: [Finding] = []
    for other in verdict.findings {
      if other.rule == finding.rule, isSame(other, original) {
        found = other
      } else if other.rule == finding.rule ? original(other.seq) != finding.seq : other.rule.severity != .loss {
        if other.rule == finding.rule || known[other.rule]?.contains(original(other.seq)) != true { others.append(other) }
      } else if other.rule == finding.rule {
        return .nothing
      }
      if !listed.isSuperset(of: other.also) { others.append(other) }
    }
    if !others.isEmpty { return .withOthers(others) }
    guard let found, !verdict.places.keys.contains(where: { $0.severity != .loss && $0 != finding.rule && known[$0] == nil }) else { return .nothing }
    return .whole(found)
  }

  private func isSame(_ other: Finding, _ original: (UInt64) -> UInt64) -> Bool {
    original(other.seq) == finding.seq && other.vcpu == finding.vcpu && other.gpa == finding.gpa && other.rip == finding.rip
      && Set(other.because.map { Self.plain($0, original) }) == reasons && Self.accesses(other, original) == accesses
      && Self.foretold(other) == foretold
  }

  private static func foretold(_ finding: Finding) -> Rule? {
    if case .reordering(let witness) = finding.evidence { witness.rule } else { nil }
  }

  /// The accesses of a race, without the bytes: those are as they were.
  private static func accesses(_ finding: Finding, _ original: (UInt64) -> UInt64) -> [Finding.Access] {
    finding.accesses.map {
      var access = $0
      access.seq = original(access.seq)
      access.since = access.since.map(original)
      (access.before, access.after) = (nil, nil)
      return access
    }
  }

  /// A reason whose words have no numbers in them: those of events differ from part to part.
  private static func plain(_ reason: Finding.Reason, _ original: (UInt64) -> UInt64) -> Finding.Reason {
    var what = ""
    for character in reason.what where !(character.isASCII && character.isNumber && what.last == "#") {
      what.append(character.isASCII && character.isNumber ? "#" : character)
    }
    return Finding.Reason(seq: original(reason.seq), what: what)
  }
}
