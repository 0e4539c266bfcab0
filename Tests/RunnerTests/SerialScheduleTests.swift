import GuestImages
import Glibc
import Runner
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// One vCPU at a time, switching where the seed says: one seed, one stream of events, whatever the machine is doing besides.
@Suite(.serialized) struct SerialScheduleTests {
  private static func record(_ guest: String, _ seed: UInt64, vcpus: Int = 4) throws -> Recorded {
    try Recorded(image: try GuestImage(nameOrPath: guest), vcpus: vcpus, schedule: .serial(seed: seed))
  }

  /// Everything but the times.
  private static func stream(_ recorded: Recorded) -> [TraceEvents.Event] {
    recorded.events.map { event in
      var event = event
      event.time = 0
      return event
    }
  }

  /// `integrity` takes interrupts in the middle of driver code, `atomics` waits for locks without ever leaving the guest.
  @Test(.needsKVM, arguments: ["stop-storm", "tree-churn", "integrity", "atomics", "attacks", "brief"]) func oneSeedGivesOneStream(guest: String) throws {
    let first = try Self.record(guest, 3)
    let second = try Self.record(guest, 3)
    #expect(first.summary.endReason == .guestFinished, "\(first.summary.detail)")
    #expect(first.summary.detail == "exit code 0")
    let (left, right) = (Self.stream(first), Self.stream(second))
    let differs = zip(left, right).first { $0 != $1 }
    #expect(left.count == right.count && differs == nil, "first difference: \(String(describing: differs))")
    expectWellFormed(first)
    expectMemoryAgrees(first)
    #expect(first.header.property("schedule") == "serial")
    #expect(first.header.property("seed") == "3")
  }

  @Test(.needsKVM) func seedsGiveDifferentStreams() throws {
    let streams = try (1...8).map { Self.stream(try Self.record("stop-storm", $0, vcpus: 2)) }
    #expect(Set(streams).count == 8)
  }

  /// No two vCPUs execute guest code at once: between an entry that ran and its exit, nobody else writes or leaves.
  @Test(.needsKVM) func oneAtATime() throws {
    let recorded = try Self.record("stop-storm", 5)
    var writer: UInt16?
    for event in recorded.events {
      switch event.kind {
      case .pageWrite:
        #expect(writer == nil || writer == event.vcpu, "event \(event.seq)")
        writer = event.vcpu
      case .guestExit:
        #expect(writer == nil || writer == event.vcpu, "event \(event.seq)")
        writer = nil
      default:
        #expect(writer == nil, "event \(event.seq): \(event.kind.name) between a vCPU's writes and its exit")
      }
    }
  }

  // MARK: Loops that never leave the guest

  private static let lock: UInt64 = 0x40_0000
  private static let flag: UInt64 = 0x40_1000
  private static let counter: UInt64 = 0x40_2000

  /// vCPU 0 holds a lock across hypercalls, and then waits for vCPU 1; `waiting` is how vCPU 1 waits for the lock.
  private static func contention(
    _ seed: UInt64, _ writes: WriteMode = .protected, limit: Int = 60, waiting: (inout GuestCode) -> Void
  ) throws -> (RecordingSummary, [TraceEvents.Event]) {
    var other = GuestCode()
    waiting(&other)
    other.load(.rbx, 1)
    other.store(.rbx, to: flag)
    other.halt()
    var code = GuestCode()
    // jmp over what vCPU 1 does
    code.emit(0xe9, UInt8(other.bytes.count), 0, 0, 0)
    let start = code.here
    code.bytes += other.bytes
    code.load(.rbx, 1)
    code.store(.rbx, to: lock)
    code.hypercall(12, 1, start, 0)
    code.loop(8) { $0.hypercall(16) }
    code.store(.rbx, to: lock)
    code.wait(for: 1, at: flag) { $0.emit(0x90) }
    code.hypercall(15, 0)
    return try record(code, seed, writes, limit: limit)
  }

  private static func record(
    _ code: GuestCode, _ seed: UInt64, _ writes: WriteMode = .protected, limit: Int = 60
  ) throws -> (RecordingSummary, [TraceEvents.Event]) {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try code.image, vcpuCount: 2, output: path)
    options.schedule = .serial(seed: seed)
    options.writes = writes
    options.turnLimitSeconds = limit
    let summary = try Recording.run(options, decider: ScriptedDecider())
    let reader = try TraceReader(path: path)
    var events: [TraceEvents.Event] = []
    let batch = EventBatch()
    while reader.nextBatch(into: batch) { events += batch.events }
    #expect(reader.isComplete && reader.damage.isEmpty)
    for index in events.indices { events[index].time = 0 }
    return (summary, events)
  }

  /// A lock that is tried for by writing, again and again, comes free though who holds it has left the guest for a while.
  @Test(.needsKVM, .timeLimit(.minutes(2)), arguments: 1...4 as ClosedRange<UInt64>, [WriteMode.protected, .exact])
  func whoWaitsByWritingGivesItsTurnAway(seed: UInt64, writes: WriteMode) throws {
    let tests = try (0..<2).map { _ in
      try Self.contention(seed, writes, limit: 20) { code in
        let again = code.here
        code.load(.rbx, 1)
        code.emit([0x48, 0x87, 0x1c], at: Self.lock)  // xchgq %rbx, lock
        code.emit(0x48, 0x85, 0xdb)  // testq %rbx, %rbx
        code.emit(0x74, 5)  // jz over the jump
        code.jump(to: again)
      }
    }
    #expect(tests.allSatisfy { $0.0.endReason == .guestFinished }, "\(tests[0].0.detail), \(tests[1].0.detail)")
    #expect(tests[0].1 == tests[1].1)
  }

  /// One that counts meanwhile is in a new state each time: nobody can say when it is to be taken out, and the recording says who it is.
  @Test(.needsKVM, .timeLimit(.minutes(2)), arguments: [WriteMode.protected, .exact])
  func whoWaitsByCountingEndsTheRecording(writes: WriteMode) throws {
    let (summary, events) = try Self.contention(2, writes, limit: 2) { code in
      let again = code.here
      code.emit([0x48, 0xff, 0x04], at: Self.counter)  // incq counter
      code.emit([0x48, 0x83, 0x3c], at: Self.lock)  // cmpq $0, lock
      code.emit(0)
      code.emit(0x74, 5)  // je over the jump
      code.jump(to: again)
    }
    #expect(summary.endReason == .internalError && summary.detail.contains("vCPU 1 at rip 0x1000"), "\(summary.detail)")
    #expect(summary.detail.contains("the turn for 2 seconds") && events.last?.kind == .sessionEnd)
  }

  /// A halt that comes while a loop is looked at step by step is a halt like all others.
  @Test(.needsKVM, .timeLimit(.minutes(2)), arguments: 1...40 as ClosedRange<UInt64>) func aHaltInTheMiddleOfASearchIsAHalt(seed: UInt64) throws {
    var other = GuestCode()
    other.load(.rcx, 8000 + 100 * seed)
    other.emit(0x48, 0xff, 0xc9, 0x75, 0xfb)  // decq %rcx; jnz to it: kicks find it near where it was, and the search goes on into the halt
    other.halt()
    let halted = UInt64(other.bytes.count)
    other.store(.rcx, to: Self.flag)
    other.halt()
    var code = GuestCode()
    code.emit(0xe9, UInt8(other.bytes.count), 0, 0, 0)  // jmp over what vCPU 1 does
    let start = code.here
    code.bytes += other.bytes
    code.hypercall(12, 1, start, 0)
    code.loop(16) { $0.hypercall(16) }
    code.hypercall(15, 0)
    let (summary, events) = try Self.record(code, seed)
    #expect(summary.endReason == .guestFinished, "\(summary.detail)")
    let exits = events.filter { $0.vcpu == 1 && $0.kind == .guestExit }
    #expect(exits.last?.rip == start + halted && exits.last?.a == GuestExitReason.halt.rawValue, "\(exits)")
    #expect(!events.contains { $0.vcpu == 1 && $0.kind == .pageWrite })
  }
}
