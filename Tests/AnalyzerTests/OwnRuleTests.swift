import Analyzer
import Races
import TestSeeds
import Testing
import TraceEvents
import TraceFormat

/// Rules of a user's own: their names, what their judges are shown, and what becomes of what they report.
@Suite struct OwnRuleTests {
  // MARK: Names

  @Test("names of other groups are taken", arguments: ["acme/no-write-in-reset", "a/b", "x86-64/smm2", "stops/late"])
  func goodNames(name: String) throws {
    let rule = try Rule(name, severity: .warning, statement: "It holds.")
    #expect(rule.name == name && rule.severity == .warning && rule.statement == "It holds." && !rule.isBuiltIn)
    #expect(rule == (try Rule(name, severity: .warning, statement: "It holds.")))
    #expect(rule != (try Rule(name, statement: "It holds.")))
    #expect(rule.group == name.prefix { $0 != "/" })
    #expect(RuleGlob("\(rule.group)/*").matches(rule) && !RuleGlob("stop/*").matches(rule))
  }

  @Test("others are refused, and it is said why")
  func badNames() {
    let long = "acme/" + String(repeating: "x", count: 80)
    for name in ["", "acme", "acme/", "/x", "a/b/c", "Acme/x", "acme/x y", "acme/-x", "acme/é", "7/x", "acme/x\n", long] {
      let error = #expect(throws: RuleError.self, "\(name)") { try Rule(name, statement: "") }
      #expect(error?.code == .badName && error?.name == name, "\(name)")
    }
    for rule in Rule.allCases {
      let error = #expect(throws: RuleError.self) { try Rule("\(rule.group)/own", statement: "") }
      #expect(error?.code == .reservedGroup)
      #expect("\(error!)".contains("'\(rule.group)/own'") && "\(error!)".contains("alert, integrity, race, stop, trace, tree"))
    }
    let error = #expect(throws: RuleError.self) { try Rule("acme/x", severity: .loss, statement: "") }
    #expect(error?.code == .badSeverity && "\(error!)".contains("a violation or a warning"))
  }

  @Test("built-in rules have different names, and say what holds")
  func builtIn() {
    #expect(Set(Rule.allCases.map(\.name)).count == Rule.allCases.count && Rule.allCases.count == 44)
    for rule in Rule.allCases { #expect(rule.isBuiltIn && rule.statement.hasSuffix(".") && rule.name.hasPrefix(rule.group + "/"), "\(rule)") }
    #expect(Rule.allCases.filter { $0.severity != .violation } == [.treeOverTrace, .traceLost, .traceDamaged])
  }

  @Test("a judge of a built-in rule is a mistake of the program")
  func usurper() async {
    await #expect(processExitsWith: .failure) { _ = StopScenario.analyzer(2, [Usurper()]) }
  }

  @Test("so are two judges of one rule")
  func twins() async {
    await #expect(processExitsWith: .failure) { _ = StopScenario.analyzer(2, [try PromptStop(limit: 1), try PromptStop(limit: 2)]) }
  }

  // MARK: What judges are shown

  /// With holes: where the trace itself says so, and where numbers are missing.
  private static func holed(_ events: [Event], _ random: inout Seed) -> [Event] {
    var events = events
    for _ in 0..<3 {
      let index = random.below(events.count - 1)
      events[index] = Event(
        .eventsLost, vcpu: Event.host, seq: events[index].seq, time: events[index].time, a: 3, b: UInt64(1 + random.below(3)))
    }
    let gap = 1 + random.below(events.count - 2)
    for index in gap..<events.count { events[index].seq += 5 }
    return events
  }

  @Test("each event is shown once, in order, before it is taken in, in batches of any size", arguments: [WriteMode.protected, .pages, .exact])
  func batches(writes: WriteMode) throws {
    let base = Seed.base(20_261_128)
    for run in 0..<6 {
      var random = Seed(base &+ UInt64(run))
      let events = Self.holed(BatchTests.events(300, &random), &random)
      let notes = Scribe.Notes()
      var single = BatchTests.analyzer(writes, [try Scribe(notes)])
      var alone = BatchTests.analyzer(writes)
      for event in events {
        single.consume(event)
        alone.consume(event)
      }
      let verdict = single.finish()
      #expect(notes.lines.filter { $0.hasPrefix("Event") }.count == events.count)
      #expect(notes.lines.contains { $0.hasPrefix("hole") })
      // Nobody else's findings are any others because somebody looks on.
      var rest = verdict
      rest.findings.removeAll { !$0.rule.isBuiltIn }
      rest.undecided.removeAll { $0.hasPrefix("test/") }
      rest.places[try Scribe.rule()] = nil
      let plain = alone.finish()
      #expect("\(rest.findings) \(rest.undecided) \(rest.suspects)" == "\(plain.findings) \(plain.undecided) \(plain.suspects)")
      #expect(rest.places == plain.places)

      for size in [1, 7, 64, events.count] {
        let others = Scribe.Notes()
        var analyzer = BatchTests.analyzer(writes, [try Scribe(others)])
        var start = 0
        while start < events.count {
          // A batch has no gap in it.
          var end = min(start + size, events.count)
          if let gap = (start + 1..<max(end, start + 1)).first(where: { events[$0].seq != events[$0 - 1].seq + 1 }) { end = gap }
          analyzer.consume(try EventBatch(encoding: Array(events[start..<end]), header: TraceHeader(vcpuCount: 3)))
          start = end
        }
        let same = "\(analyzer.finish())" == "\(verdict)"
        #expect(same && others.lines == notes.lines, "PAGETAPE_SEED=\(base &+ UInt64(run)), batches of \(size)")
      }
    }
  }

  /// Looks at the modes only.
  struct Modes: RuleJudge {
    final class Notes {
      var modes: [UInt64: [MachineView.Mode]] = [:]
      var mapped: [UInt64: Bool?] = [:]
    }

    let rule: Rule
    let notes = Notes()

    init() throws { rule = try Rule("test/modes", statement: "Always.") }

    mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {
      notes.modes[event.seq] = (0..<UInt16(machine.vcpuCount)).map { machine.mode(of: $0) }
      notes.mapped[event.seq] = machine.isRegionMapped
      #expect(machine.mode(of: Event.host) == .unknown && machine.mode(of: 900) == .unknown && machine.isInIntegrityMode(900) == nil)
    }

    mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) {}
  }

  @Test("the machine is shown as it was before the event, and as unknown after a hole")
  func machine() throws {
    var s = StopScenario(2)
    s.open(0)
    let opened = s.events.count
    s.close(0)
    s.finish()
    let judge = try Modes()
    var analyzer = StopScenario.analyzer(2, [judge])
    for event in s.events { analyzer.consume(event) }
    #expect(analyzer.finish().outcome == .clean)
    let notes = judge.notes
    let ack = s.events.first { $0.kind == .stopAck }!.seq
    #expect(notes.modes[1] == [.offline, .offline])
    #expect(notes.modes[ack] == [.working, .guest])
    #expect(notes.modes[ack + 1] == [.working, .stopped])
    #expect(notes.modes[UInt64(opened)] == [.privileged, .stopped])
    #expect(notes.mapped[ack] == false && notes.mapped[UInt64(opened)] == true)
    #expect(notes.modes[UInt64(s.events.count)] == [.guest, .guest])

    let second = try Modes()
    analyzer = StopScenario.analyzer(2, [second])
    for event in s.events where event.seq < ack || event.seq >= UInt64(opened) { analyzer.consume(event) }
    _ = analyzer.finish()
    #expect(second.notes.modes[UInt64(opened)] == [.unknown, .unknown])
    #expect(second.notes.mapped[UInt64(opened)] == .some(nil))
    #expect(second.notes.mapped[UInt64(s.events.count)] == false)
  }

  // MARK: What becomes of what they report

  private static func storm() -> StopScenario {
    var s = StopScenario(3)
    for first in [0, 2, 1] {
      s.open(first)
      s.close(first)
    }
    s.finish()
    return s
  }

  private func judged(_ s: StopScenario, _ judge: any RuleJudge, tellingFrom floor: UInt64 = 0) -> Verdict {
    var analyzer = StopScenario.analyzer(s.vcpus.count, [judge], tellingFrom: floor)
    for event in s.events { analyzer.consume(event) }
    return analyzer.finish()
  }

  @Test("a rule that holds")
  func holds() throws {
    let verdict = judged(Self.storm(), try PromptStop(limit: 1_000_000))
    #expect(verdict.outcome == .clean && verdict.findings.isEmpty && verdict.undecided.isEmpty)
  }

  @Test("a rule that breaks is told like any other")
  func breaks() throws {
    let s = Self.storm()
    let judge = try PromptStop(limit: 1999)
    let verdict = judged(s, judge)
    let acks = s.events.filter { $0.kind == .stopAck }
    #expect(verdict.outcome == .violated && verdict.findings.count == 1)
    let finding = try #require(verdict.findings.first)
    #expect(finding.rule == judge.rule && finding.count == UInt64(acks.count))
    #expect(finding.seq == acks[0].seq && finding.vcpu == acks[0].vcpu && finding.rip == acks[0].rip && finding.gpa == nil)
    #expect(finding.expected == "an ack within 1999 ns" && finding.observed.hasPrefix("an ack after "))
    // In the order of events, whatever order the judge names them in.
    let enter = s.events.last { $0.kind == .guestEnter && $0.vcpu == acks[0].vcpu && $0.seq < acks[0].seq }
    #expect(finding.because.map(\.seq) == [enter?.seq, acks[0].cause])
    #expect(verdict.places == [judge.rule: acks.map(\.seq)])
    #expect(verdict.restricted(to: RuleGlob("acme/*")).outcome == .violated)
    #expect(verdict.restricted(to: RuleGlob("stop/*")).outcome == .clean)

    let later = judged(s, judge, tellingFrom: acks[2].seq)
    #expect(later.findings.first?.seq == acks[2].seq && later.places == verdict.places)
    #expect(judged(s, try PromptStop(limit: 1999, severity: .warning)).outcome == .clean)
  }

  @Test("what never came breaks a rule at the end of a recording, and is left open where it was cut off")
  func ends() throws {
    var s = StopScenario(2)
    s.begin(0, stopping: [1])
    let stop = s.events.last!.seq
    let cut = judged(s, try PromptStop(limit: 1_000_000))
    #expect(cut.outcome == .incomplete && cut.undecided.contains("acme/prompt-stop: whether the stop signal \(stop) was acknowledged in time"))
    s.finish(.sizeCap)
    #expect(judged(s, try PromptStop(limit: 1_000_000)).findings.isEmpty)
    s = StopScenario(2)
    s.begin(0, stopping: [1])
    s.finish()
    let ended = judged(s, try PromptStop(limit: 1_000_000))
    #expect(ended.findings.map(\.seq) == [stop] && ended.findings.first?.vcpu == 1)
  }

  @Test("a hole tells a judge what it must forget")
  func hole() throws {
    let s = Self.storm()
    let stops = s.events.filter { $0.kind == .stopSend }
    let gone = stops[1].seq + 1
    var analyzer = StopScenario.analyzer(3, [try PromptStop(limit: 0)])
    for event in s.events where event.seq < gone { analyzer.consume(event) }
    analyzer.noteHole(lostEvents: 4, firstSeq: gone, lastSeq: gone + 3, damage: "a block fails its checksum")
    for event in s.events where event.seq > gone + 3 { analyzer.consume(event) }
    let verdict = analyzer.finish()
    let open = stops.prefix(2).map { "acme/prompt-stop: whether the stop signal \($0.seq) was acknowledged in time" }
    #expect(Array(verdict.undecided.filter { $0.hasPrefix("acme") }) == open)
    #expect(Set(verdict.findings.map(\.rule.name)) == ["trace/damaged", "acme/prompt-stop"])
    #expect(verdict.findings.first { $0.rule.name == "acme/prompt-stop" }!.seq > gone + 3)
  }

  @Test("races are looked for besides, and predictions are those of the built-in rules")
  func races() throws {
    var s = StopScenario(2)
    s.write(1, 0x9000)
    s.open(0)
    s.write(0, 0x9000)
    s.close(0)
    s.finish()
    let subject = Analyzer.Subject(
      vcpuCount: 2, memory: [GuestRange(start: 0, length: 64 << 20)], region: StopScenario.region, attribution: .everyWrite)
    let list = EventList(events: s.events, vcpuCount: 2)
    let notes = Scribe.Notes()
    let verdict = Verdict(of: list, subject, judges: [try Scribe(notes)], isComplete: true)
    #expect(notes.lines.count == s.events.count + 1)
    let plain = Verdict(of: list, subject, isComplete: true)
    #expect(verdict.findings.filter { $0.rule.isBuiltIn } == plain.findings && verdict.prediction == plain.prediction)
    #expect(verdict.findings.contains { $0.rule.name == "test/scribe" })
  }
}
