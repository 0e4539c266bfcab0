import Analyzer
import Races
import Testing
import TraceEvents
import TraceFormat

/// The rules `race/stop-window`, `race/protect-window` and `race/pages`, on events built by hand.
@Suite struct RaceRulesTests {
  /// A page that the mode's code works on, in ordinary memory.
  static let mailbox: UInt64 = 0x5_3000

  /// One rendezvous of two vCPUs. vCPU 1 writes the mailbox before its ack, vCPU 0 in the mode; `waits` says whether the map waited for the ack.
  static func rendezvous(waits: Bool, peer: [UInt8] = [1], offset: UInt64 = 0, inWindow: Bool = true) -> StopScenario {
    var scenario = StopScenario(2)
    if !inWindow {
      scenario.exit(1)
      scenario.write(1, mailbox + offset, peer)
      scenario.enter(1)
    }
    scenario.begin(0, stopping: [1])
    scenario.exit(1)
    if inWindow { scenario.write(1, mailbox + offset, peer) }
    scenario.ack(1, leavingGuest: false)
    if !waits { scenario.acks = [] }
    scenario.map()
    scenario.enterMode(0, .first)
    scenario.exit(0, .hypercall)
    scenario.write(0, mailbox, [7])
    scenario.close(0)
    return scenario
  }

  @Test("an order that somebody waited for is no race")
  func ordered() {
    let verdict = Self.rendezvous(waits: true).verdictWithRaces
    #expect(verdict.outcome == .clean && verdict.findings.isEmpty, "\(verdict.findings)")
    #expect(verdict.suspects.isEmpty)
  }

  @Test("a write before an ack that merely came earlier than the map races with the mode's, though nothing struck")
  func stopWindow() throws {
    let scenario = Self.rendezvous(waits: false)
    let verdict = scenario.verdictWithRaces
    let finding = try #require(verdict.findings.first { $0.rule == .raceStopWindow })
    guard case .race(let first, let second, let missing)? = finding.evidence else {
      Issue.record("no accesses")
      return
    }
    #expect((first.vcpu, second.vcpu) == (1, 0))
    #expect(first.gpa == Self.mailbox && second.gpa == Self.mailbox && first.length == 1)
    #expect(first.after == [1] && second.after == [7] && second.before == [1])
    #expect(first.seq < second.seq && first.since != nil)
    let ack = try #require(scenario.events.first { $0.kind == .stopAck })
    let map = try #require(scenario.events.first { $0.kind == .regionMap })
    #expect(missing.contains("\(ack.seq)") && missing.contains("\(map.seq)"), "\(missing)")
    #expect(finding.because.allSatisfy { $0.seq > 0 && $0.seq <= finding.seq })
    #expect(verdict.findings.allSatisfy { $0.rule.group == "race" }, "\(verdict.findings.map(\.rule))")
  }

  @Test("outside the window it is a race of pages")
  func pages() {
    let rules = Self.rendezvous(waits: false, inWindow: false).verdictWithRaces.findings.map(\.rule)
    #expect(rules.contains(.racePages) && !rules.contains(.raceStopWindow), "\(rules)")
  }

  @Test("other bytes of the page do not conflict")
  func otherBytes() {
    let verdict = Self.rendezvous(waits: false, offset: 8).verdictWithRaces
    #expect(!verdict.suspects.pages.isEmpty)
    #expect(!verdict.findings.contains { $0.rule == .raceStopWindow || $0.rule == .racePages }, "\(verdict.findings)")
  }

  @Test("the race is found whichever access comes first")
  func peerLater() {
    var scenario = StopScenario(3)
    // Nobody stops vCPU 2, which writes after the mode did.
    scenario.begin(0, stopping: [1])
    scenario.ack(1)
    scenario.map()
    scenario.enterMode(0, .first)
    scenario.exit(0, .hypercall)
    scenario.write(0, Self.mailbox, [7])
    scenario.exit(2)
    scenario.enter(2)
    scenario.exit(2)
    scenario.write(2, Self.mailbox, [1])
    scenario.enter(2)
    scenario.close(0)
    let rules = scenario.verdictWithRaces.findings.map(\.rule)
    #expect(rules.contains(.racePages), "\(rules)")
  }

  @Test("two page-writes at the same time are left open, but not where one vCPU ran at a time")
  func uncertain() {
    var scenario = StopScenario(2)
    scenario.begin(0, stopping: [])
    scenario.map()
    scenario.enterMode(0, .first)
    // vCPU 1 is in the guest all the while.
    scenario.exit(0, .hypercall)
    scenario.write(0, Self.mailbox, [7])
    scenario.exit(1)
    scenario.write(1, Self.mailbox, [1])
    scenario.enter(1)
    scenario.close(0)
    let verdict = scenario.verdictWithRaces
    #expect(!verdict.findings.contains { $0.rule == .racePages })
    #expect(verdict.undecided.contains { $0.contains("which of them wrote which byte is not certain") }, "\(verdict.undecided)")
    scenario.finish()
    let serial = Analyzer.Subject(
      vcpuCount: 2, memory: [GuestRange(start: 0, length: 64 << 20)], region: StopScenario.region, attribution: .everyWrite, isSerial: true)
    let again = Verdict(of: EventList(events: scenario.events, vcpuCount: 2), serial, isComplete: true)
    #expect(again.findings.contains { $0.rule == .racePages }, "\(again.findings.map(\.rule))")
  }

  @Test("a third vCPU that was in the guest all along, and tells only later that it wrote the page too, leaves it open")
  func third() {
    for writes in [false, true] {
      var scenario = StopScenario(3)
      scenario.begin(0, stopping: [1])
      scenario.exit(1)
      scenario.write(1, Self.mailbox, [1])
      scenario.ack(1, leavingGuest: false)
      scenario.acks = []
      scenario.map()
      scenario.enterMode(0, .first)
      scenario.exit(0, .hypercall)
      scenario.write(0, Self.mailbox, [7])
      scenario.exit(2)
      if writes { scenario.write(2, Self.mailbox + 64, [9]) }
      scenario.enter(2)
      scenario.close(0)
      let verdict = scenario.verdictWithRaces
      #expect(verdict.findings.contains { $0.rule == .raceStopWindow } == !writes, "\(verdict.findings)")
      #expect(verdict.undecided.contains { $0.contains("not certain") } == writes, "\(verdict.undecided)")
    }
  }

  @Test("nothing is compared across a hole")
  func hole() {
    for lost in [LossCause.recorderOverflow, .dirtyRingOverflow] {
      var scenario = Self.rendezvous(waits: false)
      // Right before the mode's write.
      let at = scenario.events.lastIndex { $0.kind == .pageWrite }!
      var events = scenario.events
      events.insert(Event(.eventsLost, vcpu: Event.host, time: events[at].time, a: 1, b: lost.rawValue), at: at)
      for index in events.indices { events[index].seq = UInt64(index + 1) }
      scenario.finish()
      let subject = Analyzer.Subject(
        vcpuCount: 2, memory: [GuestRange(start: 0, length: 64 << 20)], region: StopScenario.region, attribution: .everyWrite)
      let verdict = Verdict(of: EventList(events: events, vcpuCount: 2), subject, isComplete: true)
      let isFound = verdict.findings.contains { $0.rule == .raceStopWindow }
      // Writes that the dirty ring lost change no order.
      #expect(isFound == (lost == .dirtyRingOverflow), "\(lost): \(verdict.findings.map(\.rule))")
    }
  }

  // MARK: Edges that are easily forgotten

  /// vCPU 0 stops vCPU 1 alone, and writes the mailbox in the mode.
  static func rendezvousOfTwo(_ scenario: inout StopScenario) {
    scenario.begin(0, stopping: [1])
    scenario.ack(1)
    scenario.map()
    scenario.enterMode(0, .first)
    scenario.exit(0, .hypercall)
    scenario.write(0, Self.mailbox, [7])
    scenario.leaveLast(0)
    scenario.resume(1, by: 0)
    scenario.end(by: 0)
    scenario.goBack(0)
    scenario.enter(0)
    scenario.take(1)
  }

  @Test("a map waits for whoever went offline, stopped or not")
  func offline() {
    var scenario = StopScenario(3)
    scenario.exit(2)
    scenario.write(2, Self.mailbox, [9])
    scenario.add(.vcpuOffline, 2)
    Self.rendezvousOfTwo(&scenario)
    #expect(scenario.verdictWithRaces.findings.isEmpty, "\(scenario.verdictWithRaces.findings)")
  }

  @Test("a vCPU that comes online and runs found the mode free")
  func lateOnline() {
    var scenario = StopScenario(3, offline: 1)
    scenario.exit(1)
    let start = scenario.add(.vcpuStart, 1, rip: 0x1000, a: 2)
    scenario.enter(1)
    Self.rendezvousOfTwo(&scenario)
    scenario.enter(1)
    scenario.add(.vcpuOnline, 2, cause: start)
    scenario.enter(2)
    scenario.exit(2)
    scenario.write(2, Self.mailbox, [9])
    #expect(scenario.verdictWithRaces.findings.isEmpty, "\(scenario.verdictWithRaces.findings)")
  }

  @Test("an interrupt that coalesced into another was delivered with it")
  func coalesced() {
    for vector in [40, 41] as [UInt64] {
      var scenario = TreeScenario(vcpus: 3)
      scenario.pageWrite(1, TreeScenario.free)
      scenario.exit(2, .hypercall)
      let raise = scenario.add(.interruptRaise, 2, a: 0, b: 40)
      scenario.enter(2)
      scenario.exit(1, .hypercall)
      scenario.add(.interruptRaise, 1, a: 0, b: vector)
      scenario.enter(1)
      scenario.exit(0, .interruptWindow)
      scenario.add(.interruptDeliver, 0, cause: raise, a: 40)
      scenario.enter(0)
      scenario.enterIntegrity(0) { $0.protect(0, TreeScenario.free) }
      let rules = scenario.verdictWithRaces.findings.map(\.rule)
      #expect(rules.contains(.raceProtectWindow) == (vector == 41), "\(rules)")
    }
  }

  // MARK: What becomes of a page

  @Test("a page that becomes the driver's after it was suspected for another reason")
  func becomesSpecial() {
    for installs in [false, true] {
      var scenario = StopScenario(2)
      scenario.exit(1)
      scenario.add(.guestWrite, 1, gpa: Self.mailbox, data: [0, 1])
      scenario.enter(1)
      scenario.exit(0)
      if installs { scenario.add(.traceInstall, 0, gpa: Self.mailbox, a: 1) }
      scenario.add(.driverPagesSet, 0, gpa: Self.mailbox, a: 1, b: 1)
      scenario.add(.guestWrite, 0, gpa: Self.mailbox, data: [1, 2])
      scenario.enter(0)
      #expect(scenario.verdictWithRaces.findings.contains { $0.rule == .racePages }, "\(installs)")
    }
  }

  @Test("a refused touch of the region does not stand for a write to it")
  func touchAfterWrite() {
    let gpa = StopScenario.region.start
    for touches in [false, true] {
      var scenario = StopScenario(2)
      scenario.exit(1)
      scenario.add(.guestWrite, 1, gpa: gpa, data: [0, 1])
      if touches { scenario.add(.regionAccess, 1, gpa: gpa, a: AccessKind.write.rawValue, data: [1]) }
      scenario.enter(1)
      scenario.exit(0)
      scenario.add(.guestWrite, 0, gpa: gpa, data: [1, 2])
      scenario.enter(0)
      #expect(scenario.verdictWithRaces.findings.contains { $0.rule == .racePages }, "\(touches)")
    }
  }

  @Test("events that no recorder writes: nothing crashes, whatever the host or an address out of the world does")
  func hostile() {
    var scenario = Self.rendezvous(waits: true)
    scenario.add(.traceInstall, Event.host, gpa: Self.mailbox, a: 1)
    let top: UInt64 = 0xffff_ffff_ffff_fff8
    for vcpu in [0, 1] as [UInt16] {
      scenario.add(.guestWrite, vcpu, gpa: top, data: [UInt8](repeating: 1, count: 16))
      scenario.add(.regionAccess, vcpu, gpa: top + 7, a: AccessKind.write.rawValue, data: [1, 2, 3, 4])
      scenario.write(Int(vcpu), top, [1, 2])
      scenario.add(.traceInstall, vcpu, gpa: top, a: .max)
    }
    #expect(scenario.verdictWithRaces.events > 0)
  }

  @Test("one page written by everybody all the time takes no time to speak of")
  func hotPage() {
    var scenario = StopScenario(32)
    for round in 0..<100 {
      for vcpu in 0..<32 {
        scenario.add(.guestWrite, vcpu, gpa: StopScenario.region.start + UInt64((round * 7 + vcpu) % 4000), data: [0, 1])
      }
    }
    let verdict = scenario.verdictWithRaces
    #expect(verdict.findings.contains { $0.rule == .racePages })
  }

  @Test("races that are told early, for they are many, take none away from those at the end")
  func many() {
    var scenario = StopScenario(2)
    let rounds = 4500
    for vcpu in 0..<2 { scenario.halt(vcpu) }
    for round in 0..<rounds {
      let vcpu = round % 2
      scenario.unhalt(vcpu)
      scenario.enter(vcpu)
      scenario.exit(vcpu)
      // Every other one is exact, at a moment when nobody has anything left to tell.
      if vcpu == 0 { scenario.write(vcpu, StopScenario.region.start, [UInt8(truncatingIfNeeded: round)]) }
      scenario.add(.vcpuHalt, vcpu)
      if vcpu == 1 { scenario.add(.guestWrite, vcpu, gpa: StopScenario.region.start, data: [0, 1]) }
    }
    let found = scenario.verdictWithRaces.findings.first { $0.rule == .racePages }
    #expect(found?.count == UInt64(rounds - 1))
  }

  // MARK: Protection

  @Test("a write that nothing orders with the installation of its page's trace")
  func protectWindow() throws {
    var scenario = TreeScenario()
    scenario.pageWrite(1, TreeScenario.free)
    scenario.enterIntegrity(0) { $0.protect(0, TreeScenario.free) }
    let finding = try #require(scenario.verdictWithRaces.findings.first { $0.rule == .raceProtectWindow })
    guard case .race(let first, let second, _)? = finding.evidence else {
      Issue.record("no accesses")
      return
    }
    #expect(first.what == .write && second.what == .install && first.vcpu == 1 && second.vcpu == 0)
  }

  @Test("an interrupt sent and delivered orders them")
  func protectOrdered() {
    for isDelivered in [false, true] {
      var scenario = TreeScenario()
      scenario.pageWrite(1, TreeScenario.free)
      scenario.exit(1, .hypercall)
      let raise = scenario.add(.interruptRaise, 1, a: 0, b: 40)
      scenario.enter(1)
      scenario.exit(0, .interruptWindow)
      if isDelivered { scenario.add(.interruptDeliver, 0, cause: raise, a: 40) }
      scenario.enter(0)
      scenario.enterIntegrity(0) { $0.protect(0, TreeScenario.free) }
      let rules = scenario.verdictWithRaces.findings.map(\.rule)
      #expect(rules.contains(.raceProtectWindow) == !isDelivered, "\(rules)")
    }
  }

  @Test("a trap waited for its trace; the removal did not wait for the trap")
  func removal() {
    var scenario = TreeScenario()
    scenario.enterIntegrity(0) { $0.protect(0, TreeScenario.free) }
    scenario.write(1, TreeScenario.free, 5, .applied)
    #expect(!scenario.verdictWithRaces.findings.contains { $0.rule.group == "race" })
    scenario.enterIntegrity(0) { $0.unprotect(0, TreeScenario.free) }
    let rules = scenario.verdictWithRaces.findings.map(\.rule)
    #expect(rules.contains(.raceProtectWindow), "\(rules)")
  }

  @Test(
    "a trapped write is told with the bytes in memory, a change of protection with the hypercall that asked for it",
    arguments: [WriteOutcome.dropped, .applied])
  func removalInFull(outcome: WriteOutcome) throws {
    var scenario = TreeScenario()
    scenario.enterIntegrity(0) { $0.protect(0, TreeScenario.free) }
    scenario.write(1, TreeScenario.free + 8, 5, outcome)
    scenario.enterIntegrity(0) { $0.unprotect(0, TreeScenario.free) }
    let finding = try #require(scenario.verdictWithRaces.findings.first { $0.rule == .raceProtectWindow })
    guard case .race(let first, let second, _)? = finding.evidence else {
      Issue.record("no accesses")
      return
    }
    let result = try #require(scenario.events.first { $0.kind == .writeResult && $0.vcpu == 1 })
    let half = result.data.count / 2
    #expect(first.what == .attempt && first.before == Array(result.data[..<half]) && first.after == Array(result.data[half...]), "\(first)")
    let removal = try #require(scenario.events.last { $0.kind == .traceRemove })
    let call = try #require(scenario.events.first { $0.seq == removal.cause })
    #expect(second.what == .remove && call.kind == .hypercall && second.rip == call.rip && finding.rip == call.rip, "\(second)")
  }

  @Test("accesses to a node are ordered whoever makes them; those to other traced pages need not be")
  func nodes() {
    for (gpa, isSpecial) in [(TreeScenario.leaf + 0x800, true), (TreeScenario.ranged + 0x800, false)] {
      var scenario = TreeScenario()
      scenario.write(0, gpa, 5, .applied)
      scenario.write(1, gpa, 6, .applied)
      let rules = scenario.verdictWithRaces.findings.map(\.rule)
      #expect(rules.contains(.racePages) == isSpecial, "\(rules)")
    }
  }

  @Test("what was denied is no access, and the region's refusals race with nobody but the mode")
  func refused() {
    var scenario = TreeScenario()
    scenario.write(0, TreeScenario.leaf + 0x800, 5, .dropped, alert: .deny, .node)
    scenario.write(1, TreeScenario.leaf + 0x800, 6, .dropped, alert: .deny, .node)
    for vcpu in [0, 1] as [UInt16] {
      scenario.exit(vcpu, .unmappedAccess)
      scenario.add(.regionAccess, vcpu, gpa: TreeScenario.region.start, rip: 0x1000, a: AccessKind.write.rawValue, data: [1])
      scenario.enter(vcpu)
    }
    #expect(!scenario.verdictWithRaces.findings.contains { $0.rule.group == "race" })
  }
}
