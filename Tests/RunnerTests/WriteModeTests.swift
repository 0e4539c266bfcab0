import Glibc
import GuestImages
import Runner
import Testing
import TraceEvents
import TraceFormat

/// One serial run, recorded three ways.
@Suite(.serialized) struct WriteModeTests {
  private static func record(_ guest: String, _ seed: UInt64, _ writes: WriteMode) throws -> Recorded {
    let recorded = try Recorded(image: try GuestImage(nameOrPath: guest), vcpus: 2, schedule: .serial(seed: seed), writes: writes)
    #expect(recorded.summary.endReason == .guestFinished && recorded.summary.detail == "exit code 0", "\(writes): \(recorded.summary)")
    #expect(recorded.header.writes == writes)
    return recorded
  }

  /// An event without what counts events or time: what two recordings of one run can have in common.
  struct Decision: Hashable, CustomStringConvertible {
    var event: TraceEvents.Event

    init(_ event: TraceEvents.Event) {
      self.event = event
      (self.event.seq, self.event.time, self.event.cause) = (0, 0, 0)
      // The acks by number.
      if event.kind == .regionMap { self.event.data = [] }
    }

    var description: String { "\(event.kind.name) on \(event.vcpu), gpa \(event.gpa), rip \(event.rip), a \(event.a), b \(event.b)" }
  }

  /// Everything but what a mode sees more or less often.
  private static func decisions(_ recorded: Recorded, without others: Set<EventKind> = []) -> [Decision] {
    let often: Set<EventKind> = [.guestEnter, .guestExit, .pageWrite, .guestWrite]
    return recorded.events.filter { !often.contains($0.kind) && !others.contains($0.kind) }.map(Decision.init)
  }

  /// What a recording tells of memory: the bytes at the end, what was there before each of them was first told, and who wrote which pages.
  struct Memory {
    var bytes: [UInt64: UInt8] = [:]
    var before: [UInt64: UInt8] = [:]
    var written: Set<[UInt64]> = []

    init(_ recorded: Recorded) {
      for event in recorded.events {
        switch event.kind {
        case .pageWrite:
          for run in PageDiff(event.data)?.runs ?? [] { store(run.bytes, at: event.gpa + UInt64(run.offset)) }
          written.insert([UInt64(event.vcpu), event.gpa >> 12])
        case .guestWrite, .writeResult:
          let half = event.data.count / 2
          store(Array(event.data[half...]), at: event.gpa, before: Array(event.data[..<half]))
          let isEffective = event.kind == .guestWrite || event.a == WriteOutcome.applied.rawValue
          if isEffective { written.insert([UInt64(event.vcpu), event.gpa >> 12]) }
        case .pageContents: store(event.data, at: event.gpa)
        default: break
        }
      }
    }

    private mutating func store(_ new: [UInt8], at gpa: UInt64, before old: [UInt8]? = nil) {
      for (index, byte) in new.enumerated() {
        let at = gpa + UInt64(index)
        if bytes[at] == nil, let old { before[at] = old[index] }
        bytes[at] = byte
      }
    }
  }

  private func expectAgreement(_ exact: Memory, _ other: Memory, _ what: String) {
    // A page-write tells changes only: of a byte that it does not tell of, the exact writes left what was there.
    let differs = other.bytes.first { exact.bytes[$0.key] != nil && exact.bytes[$0.key] != $0.value }
    #expect(differs == nil, "\(what): \(String(describing: differs)), exactly \(String(describing: differs.map { exact.bytes[$0.key] }))")
    let untold = exact.bytes.first { other.bytes[$0.key] == nil && exact.before[$0.key] != nil && exact.before[$0.key] != $0.value }
    #expect(untold == nil, "\(what): not told of \(String(describing: untold))")
    #expect(exact.written == other.written, "\(what): \(exact.written.symmetricDifference(other.written))")
  }

  private func expectEqual(_ left: [Decision], _ right: [Decision], _ what: String) {
    let differs = zip(left, right).first { $0 != $1 }
    #expect(left.count == right.count && differs == nil, "\(what): \(left.count) and \(right.count), first \(String(describing: differs))")
  }

  @Test(.needsKVM, arguments: ["atomics", "stop-storm"], [1, 2] as [UInt64]) func threeRecordingsOfOneRunAgree(guest: String, seed: UInt64) throws {
    let exact = try Self.record(guest, seed, .exact)
    let protected = try Self.record(guest, seed, .protected)
    let pages = try Self.record(guest, seed, .pages)
    expectEqual(Self.decisions(exact), Self.decisions(protected), "exact and protected")
    let traps: Set<EventKind> = [.traceInstall, .traceRemove, .pageContents, .writeTrap, .writeResult]
    expectEqual(Self.decisions(protected, without: traps), Self.decisions(pages, without: traps), "protected and pages")
    let memory = Memory(exact)
    expectAgreement(memory, Memory(protected), "protected")
    expectAgreement(memory, Memory(pages), "pages")
    #expect(exact.of(.pageWrite).isEmpty && !exact.of(.guestWrite).isEmpty)
    #expect(protected.of(.guestWrite).isEmpty && !protected.of(.pageWrite).isEmpty)
    #expect(pages.of(.writeTrap).isEmpty && pages.of(.traceInstall).isEmpty && !pages.of(.pageWrite).isEmpty)
    expectMemoryAgrees(exact)
    expectWellFormed(exact)
  }

  /// Here writes are denied, which nothing does where none traps: two of the three are of one run.
  @Test(.needsKVM, arguments: ["tree-churn", "attacks"]) func whatIsDeniedIsDeniedInBoth(guest: String) throws {
    let exact = try Self.record(guest, 7, .exact)
    let protected = try Self.record(guest, 7, .protected)
    expectEqual(Self.decisions(exact), Self.decisions(protected), guest)
    expectAgreement(Memory(exact), Memory(protected), guest)
    #expect(exact.of(.writeResult).contains { $0.a == WriteOutcome.dropped.rawValue })
  }

  /// Interrupts push their frames on a stack that KVM may not write.
  @Test(.needsKVM) func interruptsAreDeliveredWhereEveryWriteTraps() throws {
    let recorded = try Self.record("integrity", 4, .exact)
    var delivered = 0
    for (index, event) in recorded.events.enumerated() where event.kind == .interruptDeliver {
      // Pushed once the vCPU is in the guest, unless the recording ends, or it is interrupted for the privileged mode, before it is.
      let next = recorded.events[(index + 1)...].lazy.filter { $0.vcpu == event.vcpu && $0.kind != .guestEnter }.prefix(5)
      guard next.first?.kind == .guestWrite else { continue }
      let frame = Array(next)
      #expect(frame.allSatisfy { $0.kind == .guestWrite }, "event \(event.seq)")
      // From the top of the stack down.
      #expect(zip(frame, frame.dropFirst()).allSatisfy { $0.gpa == $1.gpa + 8 })
      delivered += 1
    }
    #expect(delivered > 20)
  }

  /// KVM's emulation of `sgdt` and `sidt` stores to read-only memory again and again, without an exit: the recording ends, and names the instruction.
  /// Where the host can do it, it is recorded.
  @Test(.needsKVM, .timeLimit(.minutes(2)), arguments: [0x04, 0x0c] as [UInt8], [Schedule.parallel, .serial(seed: 1)])
  func aStoreThatKVMCannotFinishEndsTheRecording(operand: UInt8, schedule: Schedule) throws {
    var code = GuestCode()
    code.emit([0x0f, 0x01, operand], at: 0x40_0000)
    code.hypercall(15, 0)
    let recorded = try Recorded(image: try code.image, vcpus: 2, schedule: schedule, writes: .exact)
    #expect(recorded.isComplete)
    if recorded.summary.endReason == .guestFinished { return }
    #expect(recorded.summary.endReason == .emulationFailure)
    let bytes = operand == 0x04 ? "0f 01 04 25 00 00 40 00" : "0f 01 0c 25 00 00 40 00"
    #expect(recorded.summary.detail.contains("vCPU 0 at rip 0x100000: \(bytes)"), "\(recorded.summary.detail)")
  }

  /// A loop of one instruction stays where it is, too, and is nobody's failure.
  @Test(.needsKVM, .timeLimit(.minutes(2)), arguments: [WriteMode.exact, .protected]) func aLoopOfOneInstructionIsNoFailure(writes: WriteMode) throws {
    var code = GuestCode()
    code.emit(0xeb, 0xfe)  // jmp .
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try code.image, vcpuCount: 1, output: path)
    options.writes = writes
    let stop = try RecordingStop()
    let summary = try Recording.run(options, stop: stop) { if $0.elapsed > 5_000_000_000 { stop.stop() } }
    #expect(summary.endReason == .interrupted, "\(summary.detail)")
  }
}
