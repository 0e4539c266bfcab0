/// Gathers broken rules: first break in full, repeats as a count; of several rules broken by one event, the most specific one.
package struct FindingCollector {
  /// One broken rule at the event in hand, before precedence is settled.
  struct Break {
    var rule: Rule
    var seq: UInt64
    var vcpu: UInt16?
    var gpa: UInt64?
    var rip: UInt64?
    var otherRIP: UInt64?
    var expected: String
    var observed: String
    var because: [Finding.Reason]
    var evidence: Finding.Evidence?

    var place: BreachTally.Place { BreachTally.Place(rule: rule, rip: rip, otherRIP: otherRIP, gpa: gpa) }
  }

  package private(set) var findings: [Rule: Finding] = [:]
  /// By rule: the events that broke it, the first `placeLimit` of them.
  package private(set) var places: [Rule: [UInt64]] = [:]
  static let placeLimit = 1 << 14
  /// What broke before this event is counted and not told: the first break from here on is.
  package var floor: UInt64 = 0
  /// Counts places, and knows which breaches are expected; nil where nobody asked.
  package var tally: BreachTally?
  private var pending: [Break] = []
  private var followers: [(rule: Rule, root: Rule)] = []

  package init() {}

  mutating func report(
    _ rule: Rule, at event: borrowing EventView, expected: @autoclosure () -> String, observed: @autoclosure () -> String,
    because: @autoclosure () -> [Finding.Reason] = []
  ) {
    report(
      rule, seq: event.seq, vcpu: event.vcpu == .max ? nil : event.vcpu, gpa: event.gpa == 0 ? nil : event.gpa,
      rip: event.rip == 0 ? nil : event.rip, expected: expected(), observed: observed(), because: because())
  }

  /// As above for what is found later than it happened (a thing that never came). `otherRIP` is an instruction that an allow-list may name it by as well.
  package mutating func report(
    _ rule: Rule, seq: UInt64, vcpu: UInt16?, gpa: UInt64? = nil, rip: UInt64? = nil, otherRIP: UInt64? = nil, expected: @autoclosure () -> String,
    observed: @autoclosure () -> String, because: @autoclosure () -> [Finding.Reason] = [], evidence: @autoclosure () -> Finding.Evidence? = nil
  ) {
    var item = Break(rule: rule, seq: seq, vcpu: vcpu, gpa: gpa, rip: rip, otherRIP: otherRIP, expected: "", observed: "", because: [])
    if tellsInFull(item.place, at: seq) {
      (item.expected, item.observed, item.because, item.evidence) = (expected(), observed(), because(), evidence())
    }
    pending.append(item)
  }

  /// Whether texts are wanted: the first break is told in full; later ones, and those that are expected, cost no strings.
  package mutating func tellsInFull(_ place: BreachTally.Place, at seq: UInt64) -> Bool {
    seq >= floor && findings[place.rule].map { $0.seq <= seq } != true && tally?.expects(place) != true
  }

  /// The event breaks `rule` only because of what was reported as `root`, now or before: listed under that, not as a finding of its own.
  mutating func follow(_ rule: Rule, from root: Rule) {
    if rule == root || findings[root]?.also.contains(rule) == true { return }
    followers.append((rule, root))
  }

  private mutating func list(_ rule: Rule, under root: Rule) {
    // The root may itself be listed under something more specific.
    let cover = findings[root] != nil ? root : findings.values.filter { $0.also.contains(root) }.map(\.rule).min { $0.name < $1.name }
    guard let cover, cover != rule, findings[cover]?.also.contains(rule) == false else { return }
    findings[cover]?.also.append(rule)
  }

  package var hasPending: Bool { !pending.isEmpty || !followers.isEmpty }

  /// Settles what the event in hand broke. Called once after each event that reported something.
  package mutating func settle() {
    let rules = Set(pending.map(\.rule))
    for item in pending {
      if RulePrecedence.covered(item.rule, among: rules) { continue }
      // What is listed under a breach is expected with it.
      if tally?.take(item.place) == true { continue }
      let also = RulePrecedence.under(item.rule, among: rules)
      add(item, also: also)
    }
    for follower in followers { list(follower.rule, under: follower.root) }
    pending.removeAll(keepingCapacity: true)
    followers.removeAll(keepingCapacity: true)
  }

  private mutating func add(_ item: Break, also: [Rule]) {
    if places[item.rule, default: []].count < Self.placeLimit { places[item.rule, default: []].append(item.seq) }
    if item.seq < floor { return }
    var finding = Finding(
      rule: item.rule, count: 1, seq: item.seq, vcpu: item.vcpu, gpa: item.gpa, rip: item.rip, expected: item.expected,
      observed: item.observed, because: item.because.filter { $0.seq != 0 }.sorted { $0.seq < $1.seq }, also: also, evidence: item.evidence)
    if let known = findings[item.rule] {
      if known.seq <= item.seq || item.expected.isEmpty { finding = known }
      finding.count = known.count + 1
      finding.also = known.also + also.filter { !known.also.contains($0) }
    }
    findings[item.rule] = finding
  }
}
