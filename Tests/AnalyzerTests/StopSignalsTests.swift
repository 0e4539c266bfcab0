import Analyzer
import Testing
import TraceEvents

/// Signals, interrupts, the set of vCPUs, and how a rendezvous may end.
@Suite struct StopSignalsTests {
  @Test("every vCPU waits, and a signal was never taken")
  func lostSignal() {
    // A halted vCPU never took its stop; the interrupt that waits for it is lost with it.
    var s = StopScenario(2)
    s.halt(1)
    s.begin(0, stopping: [1])
    var running = s
    var interrupted = s
    s.finish(.allVCPUsHalted)
    expect(s, breaks: [.stopLostSignal], also: [.stopLostInterrupt])
    // The recording ended while something could still move, or too soon to tell.
    running.finish(.guestFinished)
    expect(running, breaks: [])
    #expect(running.verdict.undecided.count == 2)
    interrupted.finish(.interrupted, after: 10_000_000)
    expect(interrupted, breaks: [])
    // Not stopped by anything but patience.
    var patient = StopScenario(2)
    patient.halt(1)
    patient.begin(0, stopping: [1])
    patient.finish(.interrupted, after: 5_000_000_000)
    expect(patient, breaks: [.stopLostSignal])
  }

  @Test("a resume is never taken")
  func lostResume() {
    var s = StopScenario(2)
    s.halt(1)
    s.open(0)
    s.leaveLast(0)
    s.resume(1)
    s.end()
    s.goBack(0)
    s.enter(0)
    var open = s
    s.halt(0)
    s.finish(.allVCPUsHalted)
    expect(s, breaks: [.stopLostSignal])
    open.finish(.interrupted, after: 5_000_000_000)
    expect(open, breaks: [])
  }

  @Test("a stopped vCPU is left behind")
  func leftBehind() {
    var s = StopScenario(3)
    s.open(0)
    s.leaveLast(0)
    s.resume(1)
    s.end()
    s.goBack(0)
    expect(s, breaks: [.stopLostSignal])
  }

  @Test("an ack answers nothing")
  func spuriousAck() {
    var unasked = StopScenario(3)
    unasked.begin(0, stopping: [1])
    unasked.ack(2)
    expect(unasked, breaks: [.stopSpuriousAck])
    var twice = StopScenario(2)
    twice.begin(0, stopping: [1])
    twice.ack(1)
    var close = twice
    twice.ack(1)
    expect(twice, breaks: [.stopSpuriousAck])
    close.map()
    close.enterMode(0, .first)
    close.close(0)
    close.open(0)
    close.close(0)
    expect(close, breaks: [])
    var stale = StopScenario(2)
    stale.open(0)
    let first = stale.events.first { $0.kind == .stopSend }?.seq ?? 0
    stale.close(0)
    stale.begin(0, stopping: [1])
    stale.ack(1, cause: first)
    expect(stale, breaks: [.stopSpuriousAck])
  }

  @Test("a signal is sent before the last one was taken")
  func doubleSignal() {
    var stops = StopScenario(2)
    stops.begin(0, stopping: [1, 1])
    expect(stops, breaks: [.stopDoubleSignal])
    var resumes = StopScenario(2)
    resumes.open(0)
    resumes.leaveLast(0)
    resumes.resume(1)
    resumes.resume(1)
    expect(resumes, breaks: [.stopDoubleSignal])
    // A new stop for a vCPU that has not taken its resume yet.
    var untaken = StopScenario(2)
    untaken.open(0)
    untaken.leaveLast(0)
    untaken.resume(1)
    untaken.end()
    untaken.goBack(0)
    untaken.enter(0)
    var close = untaken
    untaken.begin(0, stopping: [1])
    expect(untaken, breaks: [.stopDoubleSignal])
    close.raise(0)
    close.claim(0)
    close.take(1, number: 1)
    close.stop(1)
    close.ack(1)
    close.map()
    close.enterMode(0, .first)
    close.close(0)
    expect(close, breaks: [])
  }

  @Test("an entry serves no interrupt")
  func uninvitedEntry() {
    var none = StopScenario(2)
    none.open(0)
    none.enterMode(1, .next, cause: 0)
    none.exitMode(1, .notLast)
    none.close(0)
    expect(none, breaks: [.stopUninvitedEntry])
    var twice = StopScenario(2)
    twice.raise(1)
    let first = UInt64(twice.events.count)
    twice.open(0)
    twice.enterMode(1, .next)
    twice.exitMode(1, .notLast)
    twice.enterMode(1, .next, cause: first)
    expect(twice, breaks: [.stopUninvitedEntry])
    // Interrupts coalesce; one that comes in the mode asks for a new entry.
    var close = StopScenario(2)
    close.open(0)
    close.raise(1)
    close.raise(1)
    close.enterMode(1, .next)
    close.raise(1)
    close.exitMode(1, .notLast)
    close.enterMode(1, .next)
    close.exitMode(1, .notLast)
    close.close(0)
    expect(close, breaks: [])
  }

  @Test("an interrupt leads to no entry")
  func lostInterrupt() {
    var s = StopScenario(2)
    s.halt(0)
    s.halt(1)
    s.raise(1)
    var close = s
    s.finish(.allVCPUsHalted)
    expect(s, breaks: [.stopLostInterrupt])
    close.finish(.interrupted)
    expect(close, breaks: [])
    #expect(close.verdict.undecided.count == 1)
    // A further one that finds none latched.
    var gone = StopScenario(2)
    gone.open(0)
    gone.raise(1)
    gone.close(0)
    gone.vcpus[1].raise = 0
    gone.raise(1)
    expect(gone, breaks: [.stopLostInterrupt])
    var offline = StopScenario(2)
    offline.raise(1)
    offline.exit(1, .hypercall)
    offline.add(.vcpuOffline, 1)
    expect(offline, breaks: [.stopLostInterrupt])
  }

  @Test("vCPUs come and go during a rendezvous")
  func cpuSetChanged() {
    var runs = StopScenario(3, offline: 1)
    runs.begin(0, stopping: [1])
    runs.add(.vcpuOnline, 2, a: 0)
    runs.ack(1)
    runs.map()
    runs.enterMode(0, .first)
    expect(runs, breaks: [.stopCPUSetChanged], also: [.stopRegionExposed, .stopUnstoppedPeer])
    var late = StopScenario(3, offline: 1)
    late.begin(0, stopping: [1])
    late.ack(1)
    late.map()
    late.enterMode(0, .first)
    var born = late
    late.add(.vcpuOnline, 2, a: 0)
    expect(late, breaks: [.stopCPUSetChanged], also: [.stopRegionExposed, .stopUnstoppedPeer])
    // Born stopped: found by the resume loop, or not.
    born.add(.vcpuOnline, 2, a: 1, b: born.rendezvous)
    var forgotten = born
    born.leaveLast(0)
    born.resume(1)
    born.resume(2)
    born.end()
    born.goBack(0)
    born.take(1)
    born.take(2)
    born.enter(2)
    expect(born, breaks: [])
    forgotten.close(0)
    expect(forgotten, breaks: [.stopCPUSetChanged])
    var absent = StopScenario(3, offline: 1)
    absent.begin(0, stopping: [1, 2])
    expect(absent, breaks: [.stopCPUSetChanged])
  }

  @Test("going offline with a stop pending counts as the ack")
  func offline() {
    var s = StopScenario(3)
    s.begin(0, stopping: [1, 2])
    s.ack(1)
    s.exit(2, .hypercall)
    var uncounted = s
    s.acks.append(s.add(.vcpuOffline, 2, cause: s.vcpus[2].stop, b: s.rendezvous))
    s.map()
    s.enterMode(0, .first)
    s.close(0)
    expect(s, breaks: [])
    uncounted.add(.vcpuOffline, 2)
    expect(uncounted, breaks: [.stopCPUSetChanged])
  }

  @Test("an interrupt during last-out: latched for the next first-in, or the region handed over")
  func duringLastOut() {
    var latched = StopScenario(3)
    latched.open(0)
    latched.exitMode(0, .last)
    latched.raise(1)
    latched.unmap()
    latched.resume(1)
    latched.resume(2)
    latched.end()
    latched.take(1)
    latched.take(2)
    latched.enter(2)
    latched.claim(1)
    latched.goBack(0)
    latched.stop(0)
    latched.stop(2)
    latched.ack(0)
    latched.ack(2)
    latched.map()
    latched.enterMode(1, .first)
    latched.close(1)
    expect(latched, breaks: [])
    for renumbers in [false, true] {
      var handed = StopScenario(3)
      handed.open(0)
      handed.raise(1)
      handed.exitMode(0, .handOver)
      if renumbers { handed.rendezvous += 1 }
      handed.enterMode(1, .handedOver)
      handed.close(1)
      expect(handed, breaks: [])
    }
    // Handed over, and the region removed under the one that it was handed to.
    var broken = StopScenario(3)
    broken.open(0)
    broken.raise(1)
    broken.exitMode(0, .handOver)
    broken.unmap()
    broken.enterMode(1, .handedOver)
    expect(broken, breaks: [.stopEntryUnmapped])
  }

  @Test("a single vCPU needs no stops")
  func alone() {
    var s = StopScenario(1)
    s.open(0)
    s.close(0)
    s.open(0)
    s.close(0)
    expect(s, breaks: [])
  }
}
