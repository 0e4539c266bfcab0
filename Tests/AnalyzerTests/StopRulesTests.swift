import Analyzer
import Testing
import TraceEvents

/// Each rule of `stop/` by a sequence that breaks it and nothing else, and one that comes as close as it can.
@Suite struct StopRulesTests {
  @Test("a whole rendezvous, next-in and not-last-out included, is clean")
  func clean() {
    var s = StopScenario(4)
    s.open(0)
    s.raise(2)
    s.enterMode(2, .next)
    s.raise(1)
    s.exitMode(0, .notLast)
    s.enterMode(1, .next)
    s.exitMode(1, .notLast)
    s.close(2)
    s.open(3)
    s.close(3)
    expect(s, breaks: [])
  }

  @Test("a peer executes while a vCPU is in the mode")
  func unstoppedPeer() {
    var s = StopScenario(3)
    s.begin(0, stopping: [1, 2])
    s.ack(1)
    s.exit(2, .hypercall)
    var close = s
    // The one that nobody stopped breaks both: the view is exposed, then it is unstopped.
    s.map()
    s.enterMode(0, .first)
    s.enter(2)
    expect(s, breaks: [.stopRegionExposed, .stopUnstoppedPeer])
    close.ack(2)
    close.map()
    close.enterMode(0, .first)
    close.close(0)
    expect(close, breaks: [])
    // Entered the guest only after it was let go.
    var late = StopScenario(2)
    late.open(0)
    late.close(0)
    late.add(.pageWrite, 1, gpa: 0x5000, a: 1)
    expect(late, breaks: [])
  }

  @Test("entering before the acks: unstopped peer and exposed region, each with why")
  func enterBeforeAcks() throws {
    var s = StopScenario(2)
    s.begin(0, stopping: [1])
    s.map()
    s.enterMode(0, .first)
    s.ack(1)
    s.close(0)
    s.open(1)
    s.close(1)
    expect(s, breaks: [.stopRegionExposed, .stopUnstoppedPeer])
    let finding = try #require(s.verdict.findings.first { $0.rule == .stopUnstoppedPeer })
    let kinds = finding.because.map { s.events[Int($0.seq) - 1].kind }
    #expect(kinds == [.guestEnter, .rendezvousClaim, .stopSend, .regionMap])
    #expect(s.events[Int(finding.seq) - 1].kind == .modeEnter)
  }

  @Test("the region is added before the acks, the entry waits")
  func regionExposed() {
    var s = StopScenario(3)
    s.begin(0, stopping: [1, 2])
    s.ack(1)
    s.map()
    s.ack(2)
    s.enterMode(0, .first)
    s.close(0)
    expect(s, breaks: [.stopRegionExposed], also: [])
  }

  @Test("the region is written, executed and touched by a vCPU outside the mode")
  func regionAccess() {
    var write = StopScenario(2)
    write.add(.pageWrite, 1, gpa: StopScenario.region.start + 0x2000, a: 1)
    expect(write, breaks: [.stopRegionAccess])
    var touch = StopScenario(2)
    touch.exit(1, .unmappedAccess)
    let access = touch.add(.regionAccess, 1, gpa: StopScenario.region.start + 8, rip: 0x1100, a: AccessKind.read.rawValue)
    touch.add(
      .alert, 1, gpa: StopScenario.region.start + 8, rip: 0x1100, cause: access, a: UInt64(AlertAction.deny.rawValue), b: AlertOrigin.region.rawValue)
    // Refused, and answered: nothing was there.
    expect(touch, breaks: [])
    var execute = StopScenario(2)
    execute.vcpus[1].rip = StopScenario.region.start + 0x10
    execute.exit(1)
    expect(execute, breaks: [.stopRegionAccess])
    // Where nothing is, nothing is executed.
    var jump = StopScenario(2)
    jump.vcpus[1].rip = StopScenario.region.start + 0x10
    jump.exit(1, .emulationFailure)
    expect(jump, breaks: [])
    // In the mode, and on the page beside the region.
    var close = StopScenario(2)
    close.add(.pageWrite, 1, gpa: StopScenario.region.start - 4096, a: 1)
    close.add(.pageWrite, 1, gpa: StopScenario.region.start + StopScenario.region.length, a: 1)
    close.open(0)
    close.add(.pageWrite, 0, gpa: StopScenario.region.start, a: 1)
    close.exit(0, .dirtyRingFull)
    close.add(.pageWrite, 0, gpa: StopScenario.region.start + 0x1000, a: 1)
    close.enter(0)
    close.close(0)
    expect(close, breaks: [])
  }

  @Test("a write of a stopped vCPU, harvested late, may have come before its stop")
  func harvestedLate() {
    var s = StopScenario(2)
    s.begin(0, stopping: [1])
    s.ack(1)
    s.add(.pageWrite, 1, gpa: 0x6000, a: 3)
    s.map()
    s.add(.pageWrite, 1, gpa: 0x7000, a: 1)
    s.enterMode(0, .first)
    s.close(0)
    expect(s, breaks: [])
  }

  @Test("a vCPU enters the mode without the region")
  func entryUnmapped() {
    var s = StopScenario(2)
    s.begin(0, stopping: [1])
    s.ack(1)
    s.enterMode(0, .first)
    s.exitMode(0, .last)
    s.resume(1)
    s.end()
    s.goBack(0)
    s.take(1)
    expect(s, breaks: [.stopEntryUnmapped])
  }

  @Test("a stopped vCPU executes, writes, completes a hypercall")
  func ranWhileStopped() {
    var s = StopScenario(2)
    s.open(0)
    s.enter(1)
    s.exit(1)
    s.close(0)
    expect(s, breaks: [.stopRanWhileStopped], also: [.stopUnstoppedPeer, .stopRegionExposed])
    var write = StopScenario(2)
    write.open(0)
    let trap = write.add(.writeTrap, 1, gpa: 0x3000, rip: 0x1100, data: [1])
    write.add(.writeResult, 1, gpa: 0x3000, cause: trap, a: WriteOutcome.applied.rawValue, data: [0, 1])
    write.close(0)
    expect(write, breaks: [.stopRanWhileStopped])
    var call = StopScenario(2)
    call.exit(1, .hypercall)
    let asked = call.add(.hypercall, 1, rip: 0x1100, a: 16)
    call.vcpus[1].activity = .inHypercall
    call.open(0)
    var close = call
    call.add(.hypercallResult, 1, cause: asked)
    expect(call, breaks: [.stopRanWhileStopped])
    close.close(0)
    close.add(.hypercallResult, 1, cause: asked)
    close.vcpus[1].activity = .running
    close.enter(1)
    expect(close, breaks: [])
    var claimant = StopScenario(2)
    claimant.raise(0)
    claimant.claim(0)
    claimant.enter(0)
    expect(claimant, breaks: [.stopRanWhileStopped])
    var ackInGuest = StopScenario(2)
    ackInGuest.begin(0, stopping: [1])
    ackInGuest.ack(1, leavingGuest: false)
    expect(ackInGuest, breaks: [.stopRanWhileStopped])
  }

  @Test("a vCPU leaves the stop state by something else than its resume")
  func wrongWake() {
    // A resume sent while a vCPU is in the mode.
    var early = StopScenario(2)
    early.open(0)
    early.resume(1)
    early.take(1)
    expect(early, breaks: [.stopWrongWake], also: [.stopUnstoppedPeer, .stopRegionExposed])
    // No resume at all.
    var none = StopScenario(2)
    none.open(0)
    none.leaveLast(0)
    none.take(1, cause: 0)
    expect(none, breaks: [.stopWrongWake])
    // The resume of an earlier rendezvous.
    var stale = StopScenario(3)
    stale.open(0)
    stale.close(0)
    stale.open(0)
    stale.leaveLast(0)
    stale.resume(1, number: 1)
    stale.take(1, number: 1)
    stale.resume(2)
    stale.end()
    expect(stale, breaks: [.stopWrongWake])
    // An ordinary interrupt.
    var interrupt = StopScenario(2)
    interrupt.halt(1)
    interrupt.open(0)
    interrupt.unhalt(1)
    expect(interrupt, breaks: [.stopWrongWake])
    // The interrupt is sent meanwhile, and delivered after the wake.
    var close = StopScenario(2)
    close.halt(1)
    close.open(0)
    close.add(.interruptRaise, 0, a: 1, b: 33)
    close.close(0)
    close.unhalt(1)
    close.add(.interruptDeliver, 1, a: 33)
    close.enter(1)
    expect(close, breaks: [])
  }

  @Test("a vCPU goes back to something else than where it was")
  func wrongReturn() {
    func stopped(_ prepare: (inout StopScenario) -> Void = { _ in }) -> StopScenario {
      var s = StopScenario(2)
      prepare(&s)
      s.open(0)
      s.leaveLast(0)
      s.resume(1)
      s.end()
      return s
    }
    var registers = stopped()
    registers.take(1, digestChange: 1)
    expect(registers, breaks: [.stopWrongReturn])
    var running = stopped { $0.halt(1) }
    running.take(1, activity: .running)
    expect(running, breaks: [.stopWrongReturn])
    // Says that it is halted again, and executes.
    var woken = stopped { $0.halt(1) }
    woken.take(1)
    var close = woken
    woken.enter(1)
    expect(woken, breaks: [.stopWrongReturn])
    close.unhalt(1)
    close.enter(1)
    expect(close, breaks: [])
    // The recorder took down the wrong thing: the vCPU's own events say otherwise.
    var lie = stopped {
      $0.halt(1)
      $0.vcpus[1].activity = .running
    }
    lie.take(1)
    expect(lie, breaks: [.stopWrongReturn])
    var integrity = StopScenario(2)
    integrity.open(0)
    integrity.leaveLast(0)
    integrity.resume(1)
    integrity.end()
    integrity.goBack(0, activity: Activity.running.inIntegrityMode(true))
    expect(integrity, breaks: [.stopWrongReturn])
    // The state is taken at the ack: it halts between the stop and the ack.
    var late = StopScenario(2)
    late.begin(0, stopping: [1])
    late.halt(1)
    late.ack(1)
    late.map()
    late.enterMode(0, .first)
    late.close(0)
    expect(late, breaks: [])
  }

  @Test("the region is removed while a vCPU is in, or before the first one is")
  func earlyUnmap() {
    var s = StopScenario(2)
    s.open(0)
    s.unmap()
    s.close(0)
    expect(s, breaks: [.stopEarlyUnmap], also: [.stopEntryUnmapped])
    var next = StopScenario(3)
    next.open(0)
    next.raise(1)
    next.unmap()
    next.enterMode(1, .next)
    expect(next, breaks: [.stopEarlyUnmap])
    var before = StopScenario(2)
    before.begin(0, stopping: [1])
    before.ack(1)
    before.map()
    before.unmap()
    before.enterMode(0, .first)
    expect(before, breaks: [.stopEarlyUnmap])
  }

  @Test("a resume is sent before the region is removed")
  func lateUnmap() {
    var s = StopScenario(3)
    s.open(0)
    s.exitMode(0, .last)
    s.resume(1)
    s.take(1)
    s.enter(1)
    s.unmap()
    s.resume(2)
    s.end()
    s.goBack(0)
    s.take(2)
    expect(s, breaks: [.stopLateUnmap], also: [.stopRegionExposed])
  }

  @Test("two claims, two first entries, two last exits")
  func doubleFirst() {
    var claims = StopScenario(3)
    claims.raise(0)
    claims.raise(1)
    claims.claim(0)
    claims.claim(1)
    claims.stop(2)
    expect(claims, breaks: [.stopDoubleFirst])
    // After the end of the first rendezvous, though its vCPU has not returned yet.
    var close = StopScenario(2)
    close.raise(1)
    close.open(0)
    close.leaveLast(0)
    close.resume(1)
    close.end()
    close.take(1)
    close.claim(1)
    close.stop(0)
    close.goBack(0)
    close.ack(0)
    close.map()
    close.enterMode(1, .first)
    close.close(1)
    expect(close, breaks: [])
    var entries = StopScenario(2)
    entries.open(0)
    entries.raise(1)
    entries.enterMode(1, .first)
    expect(entries, breaks: [.stopDoubleFirst])
    var exits = StopScenario(2)
    exits.open(0)
    exits.raise(1)
    exits.enterMode(1, .next)
    exits.exitMode(1, .last)
    exits.exitMode(0, .last)
    expect(exits, breaks: [.stopDoubleFirst])
    var before = StopScenario(2)
    before.raise(0)
    before.raise(1)
    before.claim(0)
    before.stop(1)
    before.ack(1)
    before.map()
    before.enterMode(1, .next)
    expect(before, breaks: [.stopDoubleFirst])
  }

  @Test("a vCPU that leaves while others are in goes on")
  func notLastResumed() {
    func others() -> StopScenario {
      var s = StopScenario(3)
      s.open(0)
      s.raise(1)
      s.enterMode(1, .next)
      return s
    }
    let covered: [Rule] = [.stopUnstoppedPeer, .stopRegionExposed]
    var back = others()
    back.exitMode(0, .notLast)
    back.goBack(0)
    back.enter(0)
    back.exitMode(1, .last)
    back.unmap(by: 1)
    back.resume(0, by: 1)
    back.resume(2, by: 1)
    back.end(by: 1)
    expect(back, breaks: [.stopNotLastResumed], also: covered)
    var silent = others()
    silent.exitMode(0, .notLast)
    silent.enter(0)
    expect(silent, breaks: [.stopNotLastResumed], also: covered)
    var last = others()
    last.exitMode(0, .last)
    last.goBack(0)
    last.enter(0)
    last.close(1)
    expect(last, breaks: [.stopNotLastResumed], also: covered + [.stopDoubleFirst])
    var resumed = others()
    resumed.exitMode(0, .notLast)
    resumed.resume(0, by: 0)
    resumed.take(0)
    expect(resumed, breaks: [.stopNotLastResumed])
  }
}
