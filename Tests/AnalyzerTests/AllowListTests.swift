import Analyzer
import Races
import Testing
import TestSeeds
import TraceEvents

/// Breaches that an allow-list names, and those that it does not.
@Suite struct AllowListTests {
  private typealias S = TreeScenario

  private static func entry(_ rule: String, _ instruction: AllowList.Location, _ memory: AllowList.Location) -> AllowList.Entry {
    AllowList.Entry(rule: RuleGlob(rule), instruction: instruction, memory: memory)
  }

  private static func tally(_ entries: AllowList.Entry...) -> BreachTally { BreachTally(allowing: AllowList(name: "list", entries: entries)) }

  /// Writes to a protected page that no trace is on: from 0x1000 twice, from 0x2000 once, from 0x1000 beside, from 0x2000 again.
  private static let writes: TreeScenario = {
    var s = TreeScenario()
    s.writes = .exact
    s.add(.traceRemove, 0, gpa: S.noticed, a: 1)
    for (offset, rip) in [(8, 0x1000), (8, 0x1000), (8, 0x2000), (16, 0x1000), (24, 0x2000)] as [(UInt64, UInt64)] {
      s.exactWrite(1, S.noticed + offset, rip: rip)
    }
    return s
  }()

  private static func judged(_ scenario: TreeScenario, _ tally: BreachTally?) -> Verdict {
    var analyzer = Analyzer(
      Analyzer.Subject(
        vcpuCount: scenario.vcpuCount, memory: [GuestRange(start: 0, length: 1 << 30)], region: S.region, attribution: .everyWrite, writes: scenario.writes),
      tally: tally)
    for event in scenario.events { analyzer.consume(event) }
    analyzer.consume(Event(.sessionEnd, vcpu: Event.host, seq: UInt64(scenario.events.count + 1)))
    return analyzer.finish()
  }

  @Test func theFirstUnexpectedBreachIsTheOneThatIsTold() throws {
    let plain = try #require(Self.judged(Self.writes, nil).findings.first { $0.rule == .treeGapWrite })
    #expect(plain.count == 5 && plain.rip == 0x1000)
    let verdict = Self.judged(Self.writes, Self.tally(Self.entry("tree/gap-write", .within([0x1000...0x1000]), .anywhere)))
    let finding = try #require(verdict.findings.first { $0.rule == .treeGapWrite })
    #expect(verdict.outcome == .violated && verdict.findings.count == 1)
    #expect(finding.count == 2 && finding.rip == 0x2000 && finding.gpa == S.noticed + 8)
    // In full, and with what is listed under it.
    #expect(!finding.expected.isEmpty && !finding.observed.isEmpty && !finding.because.isEmpty && finding.also == plain.also)
    #expect(verdict.places[.treeGapWrite]?.count == 2)
    let expected = try #require(verdict.tally?.expected.first { $0.rule == .treeGapWrite })
    #expect(expected.times == 3 && expected.places == 2 && !expected.isCut)
  }

  @Test func allExpectedIsClean() {
    let verdict = Self.judged(Self.writes, Self.tally(Self.entry("tree/*", .anywhere, .within([S.noticed...S.noticed + 4095]))))
    #expect(verdict.outcome == .clean && verdict.findings.isEmpty && verdict.places.isEmpty, "\(verdict)")
    #expect(verdict.tally?.staleEntries.isEmpty == true)
  }

  @Test func bothMustHold() {
    let entry = Self.entry("tree/gap-write", .within([0x2000...0x20ff]), .within([0...S.noticed + 15]))
    let verdict = Self.judged(Self.writes, Self.tally(entry))
    #expect(verdict.findings.map(\.count) == [4])
    // Of memory that is not known it is said that it is not known.
    let unknown = Self.judged(Self.writes, Self.tally(Self.entry("tree/gap-write", .anywhere, .unknown)))
    #expect(unknown.findings.map(\.count) == [5] && unknown.tally?.staleEntries.map(\.rule.pattern) == ["tree/gap-write"])
  }

  @Test func anEmptyListChangesNothing() {
    let (plain, judged) = (Self.judged(Self.writes, nil), Self.judged(Self.writes, Self.tally()))
    #expect(plain.findings == judged.findings && plain.places == judged.places && plain.outcome == judged.outcome)
    #expect(judged.tally?.expected.isEmpty == true && judged.tally?.counts.isEmpty == false)
  }

  @Test func whatIsMissingIsNeverExpected() {
    var s = Self.writes
    s.events.removeSubrange(3..<5)
    let verdict = Self.judged(s, Self.tally(Self.entry("*", .anywhere, .anywhere)))
    #expect(verdict.outcome == .incomplete && verdict.findings.map(\.rule) == [.traceLost], "\(verdict)")
  }

  /// The rule in force is what an entry names: what is listed under it is expected with it.
  @Test func theMoreSpecificRuleIsTheOneToName() {
    let general = Self.judged(Self.writes, Self.tally(Self.entry("tree/protected-write", .anywhere, .anywhere)))
    #expect(general.findings.map(\.rule) == [.treeGapWrite] && general.findings.map(\.count) == [5])
    // So an entry that names what is only ever listed under others is told to be of no use.
    #expect(general.tally?.staleEntries.map(\.rule.pattern) == ["tree/protected-write"])
  }

  @Test func aRaceIsNamedByEitherOfItsAccesses() {
    let scenario = RaceRulesTests.rendezvous(waits: false)
    let subject = Analyzer.Subject(vcpuCount: 2, memory: [GuestRange(start: 0, length: 64 << 20)], region: StopScenario.region, attribution: .everyWrite)
    var whole = scenario
    whole.finish()
    let events = EventList(events: whole.events, vcpuCount: 2)
    let plain = Verdict(of: events, subject, isComplete: true)
    #expect(plain.findings.contains { $0.rule == .raceStopWindow })
    let mailbox = RaceRulesTests.mailbox
    let tally = Self.tally(Self.entry("race/stop-window", .unknown, .within([mailbox...mailbox])), Self.entry("race/predicted", .anywhere, .anywhere))
    let verdict = Verdict(of: events, subject, isComplete: true, tally: tally)
    #expect(verdict.findings.map(\.rule) == plain.findings.map(\.rule).filter { $0 != .raceStopWindow && $0 != .racePredicted })
    #expect(verdict.tally?.expected.contains { $0.rule == .raceStopWindow && $0.times == 1 } == true)
  }

  /// The index finds what a look at every entry finds.
  @Test func theIndexMissesNoEntry() {
    for salt in 0..<200 {
      var seed = Seed(salt: UInt64(salt))
      func location() -> AllowList.Location {
        switch seed.below(6) {
        case 0: return .anywhere
        case 1: return .unknown
        default:
          return .within((0..<seed.below(4)).map { _ in
            let low = UInt64(seed.below(40))
            return low...low + UInt64(seed.below(12))
          })
        }
      }
      let rules: [Rule] = [.treeProtectedWrite, .treeNodeWrite, .racePages, .stopLostSignal, .traceLost]
      let patterns = rules.map(\.name) + ["tree/*", "*", "*/*e*-*", "?ree/node-write"]
      let entries = (0..<seed.below(20)).map { _ in Self.entry(patterns[seed.below(patterns.count)], location(), location()) }
      let tally = BreachTally(allowing: AllowList(name: "list", entries: entries))
      var collector = TallyProbe(tally)
      for _ in 0..<60 {
        func address() -> UInt64? { seed.chance(20) ? nil : UInt64(seed.below(50)) }
        let place = BreachTally.Place(rule: rules[seed.below(rules.count)], rip: address(), otherRIP: seed.chance(50) ? nil : address(), gpa: address())
        #expect(collector.take(place) == entries.contains { $0.names(place) }, "seed \(Seed.run), salt \(salt): \(place) by \(entries)")
      }
    }
  }

  @Test func aPatternOfManyStarsTakesNoTime() {
    let pattern = String(repeating: "*e", count: 2000) + "x"
    #expect(!RuleGlob(pattern).matchesAny)
    #expect(RuleGlob("*-*w*e").matches(.treeProtectedWrite) && !RuleGlob("*-*w*x").matches(.treeProtectedWrite))
    #expect(RuleGlob("tree/*").matches(.treeGapWrite) && RuleGlob("*").matches(.stopLateUnmap) && RuleGlob("tree/gap-writ?").matches(.treeGapWrite))
    #expect(!RuleGlob("").matches(.treeGapWrite) && !RuleGlob("tree/gap-write?").matches(.treeGapWrite))
  }
}

/// One breach after the other.
private struct TallyProbe {
  var findings = FindingCollector()
  private var seq: UInt64 = 0

  init(_ tally: BreachTally) { findings.tally = tally }

  mutating func take(_ place: BreachTally.Place) -> Bool {
    seq += 1
    let before = findings.findings[place.rule]?.count ?? 0
    findings.report(place.rule, seq: seq, vcpu: nil, gpa: place.gpa, rip: place.rip, otherRIP: place.otherRIP, expected: "", observed: "")
    findings.settle()
    return findings.findings[place.rule]?.count ?? 0 == before
  }
}
