import GuestImages
import Glibc
import Runner
import Testing
import TraceEvents
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
}
