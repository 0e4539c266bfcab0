import Analyzer
import Races
import Testing
import TraceEvents
import TraceFormat

/// The rule `race/predicted`: what breaks in another order, and in none that cannot be.
@Suite struct PredictionTests {
  @Test("an ack that came in time by luck could have come after the map")
  func lateAck() throws {
    var scenario = StopScenario(3)
    scenario.begin(0, stopping: [1, 2])
    scenario.ack(1)
    scenario.ack(2)
    // The map waited for the first ack only.
    scenario.acks.removeLast()
    scenario.map()
    scenario.enterMode(0, .first)
    scenario.close(0)
    let verdict = scenario.verdictWithRaces
    #expect(verdict.findings.map(\.rule) == [.racePredicted], "\(verdict.findings)")
    #expect(verdict.outcome == .violated)
    let finding = try #require(verdict.findings.first)
    guard case .reordering(let witness)? = finding.evidence else {
      Issue.record("no witness")
      return
    }
    #expect(witness.rule == .stopRegionExposed)
    let map = try #require(scenario.events.first { $0.kind == .regionMap })
    #expect(finding.vcpu == 2 && finding.seq == map.seq && witness.steps.last?.seq == map.seq)
    // The exit and the ack of vCPU 2 are left out of what leads to the break.
    let acks = scenario.events.filter { $0.kind == .stopAck && $0.vcpu == 2 }
    #expect(!witness.steps.contains { step in acks.contains { $0.seq == step.seq } })
    #expect(try #require(verdict.prediction).tried == 1)
  }

  @Test("acks that the map waited for stay where they are")
  func waitedFor() {
    var scenario = StopScenario(3)
    scenario.open(0)
    scenario.close(0)
    let verdict = scenario.verdictWithRaces
    #expect(verdict.outcome == .clean && verdict.prediction == nil)
  }

  /// vCPU 0 links a page before it has it traced; vCPU 1 writes that page some time before.
  static func gap(signal: Bool = false, linkFirst: Bool = true) -> TreeScenario {
    var scenario = TreeScenario()
    scenario.exit(1, .kick)
    scenario.enter(1)
    scenario.pageWrite(1, TreeScenario.free)
    if signal {
      scenario.exit(1, .hypercall)
      let raise = scenario.add(.interruptRaise, 1, a: 0, b: 40)
      scenario.enter(1)
      scenario.exit(0, .interruptWindow)
      scenario.add(.interruptDeliver, 0, cause: raise, a: 40)
      scenario.enter(0)
    }
    scenario.enterIntegrity(0) {
      if !linkFirst { $0.protect(0, TreeScenario.free) }
      $0.publish(0, TreeScenario.free, index: 3)
      if linkFirst { $0.protect(0, TreeScenario.free) }
    }
    return scenario
  }

  @Test("a write could have come between the link and the trace")
  func gapWrite() throws {
    let verdict = Self.gap().verdictWithRaces
    // Untraced from the next operation on: that the recording shows as it is.
    let foretold = verdict.findings.filter { $0.rule == .racePredicted }
    guard case .reordering(let witness)? = foretold.first?.evidence else {
      Issue.record("nothing foretold: \(verdict.findings)")
      return
    }
    #expect(witness.rule == .treeGapWrite, "\(witness)")
    #expect(witness.steps.last?.what.contains("page-write") == true)
  }

  @Test("not where an interrupt orders it, nor where the trace comes first")
  func noGap() {
    for scenario in [Self.gap(signal: true), Self.gap(linkFirst: false)] {
      let verdict = scenario.verdictWithRaces
      #expect(!verdict.findings.contains { $0.rule == .racePredicted }, "\(verdict.findings)")
    }
  }

  /// vCPU 1 registers the entry point in a hypercall, is stopped, and its ack is not waited for. Moved behind the map it takes the registration with it,
  /// which vCPU 3's entry into integrity mode was based on: that would have been refused, not broken a rule.
  @Test("what another decision was based on does not move away from under it")
  func decisions() {
    var scenario = StopScenario(4)
    scenario.begin(0, stopping: [1, 2, 3])
    scenario.ack(2)
    scenario.exit(1, .hypercall)
    let call = scenario.add(.hypercall, 1, rip: 0x1100, a: 1, data: [0x10, 0, 1, 0, 0, 0, 0, 0])
    scenario.add(.entryPointSet, 1, rip: 0x10010, cause: call)
    scenario.add(.hypercallResult, 1, cause: call)
    scenario.exit(3, .hypercall)
    let entry = scenario.add(.hypercall, 3, rip: 0x10010, a: 5)
    scenario.add(.integrityEnter, 3, rip: 0x10010, cause: entry)
    scenario.add(.hypercallResult, 3, cause: entry)
    scenario.vcpus[3].activity = Activity.running.inIntegrityMode(true)
    scenario.ack(3)
    scenario.ack(1)
    scenario.acks.removeLast()
    scenario.map()
    scenario.enterMode(0, .first)
    scenario.close(0)
    for finding in scenario.verdictWithRaces.findings where finding.rule == .racePredicted {
      guard case .reordering(let witness)? = finding.evidence else { continue }
      #expect(witness.rule.group == "stop", "\(witness)")
    }
  }

  @Test("the same events give the same words, time after time")
  func deterministic() {
    var scenario = TreeScenario()
    scenario.exit(1, .kick)
    scenario.enter(1)
    scenario.exit(1, .kick)
    for page in 0..<6 as Range<UInt64> {
      scenario.add(.pageWrite, 1, gpa: TreeScenario.free + page * 4096, a: 1, data: PageDiff(runs: [.init(offset: 0, bytes: [1])]).encoded)
    }
    scenario.enter(1)
    scenario.enterIntegrity(0) {
      for page in 0..<6 { $0.publish(0, TreeScenario.free + UInt64(page) * 4096, index: 3 + page) }
      $0.protect(0, TreeScenario.free, pages: 6)
    }
    let first = scenario.verdictWithRaces
    #expect(first.findings.contains { $0.rule == .racePredicted })
    for _ in 0..<20 { #expect(scenario.verdictWithRaces.findings == first.findings) }
  }

  @Test("events too far apart are not moved past each other, and the verdict says so")
  func bound() throws {
    var scenario = StopScenario(3)
    scenario.begin(0, stopping: [1, 2])
    scenario.ack(2)
    for _ in 0..<Int(Prediction.windowLimit) / 2 {
      scenario.enter(1)
      scenario.exit(1)
    }
    scenario.ack(1)
    scenario.acks.removeFirst()
    scenario.map()
    scenario.enterMode(0, .first)
    scenario.close(0)
    let verdict = scenario.verdictWithRaces
    #expect(verdict.findings.isEmpty, "\(verdict.findings)")
    let bound = try #require(verdict.prediction)
    #expect(bound.tried == 0 && bound.skipped == 1 && bound.window == Prediction.windowLimit)
  }

  /// A correct protocol, hand-overs and all: whatever the order, nothing could have broken.
  @Test("nothing is foretold of correct runs", arguments: 2...5)
  func correct(vcpus: Int) {
    for seed in StopRandomTests.seed..<StopRandomTests.seed + 40 {
      var walk = StopRandomWalk(vcpus: vcpus, offline: vcpus > 2 ? 1 : 0, seed: seed)
      walk.walk(400)
      let verdict = walk.scenario.verdictWithRaces
      #expect(verdict.outcome == .clean && verdict.findings.isEmpty, "seed \(seed): \(verdict.findings)")
      if verdict.outcome != .clean { break }
    }
  }

  /// Correct runs in which the map forgets to name some of its acks: each such ack is found, whatever else goes on.
  @Test("every ack that was not waited for is foretold", arguments: 2...5)
  func forgottenAcks(vcpus: Int) {
    var forgotten = 0
    for seed in StopRandomTests.seed..<StopRandomTests.seed + 30 {
      var walk = StopRandomWalk(vcpus: vcpus, offline: 0, seed: seed)
      walk.walk(200)
      var events = walk.scenario.events
      guard let map = events.firstIndex(where: { $0.kind == .regionMap && $0.data.count >= 8 }) else { continue }
      forgotten += 1
      events[map].data.removeFirst(8)
      let subject = Analyzer.Subject(
        vcpuCount: vcpus, memory: [GuestRange(start: 0, length: 64 << 20)], region: StopScenario.region, attribution: .everyWrite)
      let verdict = Verdict(of: EventList(events: events, vcpuCount: vcpus), subject, isComplete: true)
      let rules = verdict.findings.map(\.rule)
      #expect(rules.contains(.racePredicted), "seed \(seed): \(rules)")
      #expect(verdict.findings.allSatisfy { $0.rule.group == "race" }, "seed \(seed): \(rules)")
    }
    #expect(forgotten > 10)
  }
}
