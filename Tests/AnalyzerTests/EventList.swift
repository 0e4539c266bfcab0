import Analyzer
import Races
import TraceEvents
import TraceFormat

/// Events in memory as a trace that is read again and again.
struct EventList: TraceSource {
  var events: [Event]
  var vcpuCount: Int

  func run<Pass: TracePass & ~Copyable>(_ pass: inout Pass) {
    let header = TraceHeader(vcpuCount: vcpuCount)
    for start in stride(from: 0, to: events.count, by: 256) where !pass.isDone {
      // Events that cannot be encoded are a mistake of the test.
      guard let batch = try? EventBatch(encoding: Array(events[start..<min(start + 256, events.count)]), header: header) else { fatalError("events") }
      pass.consume(batch)
    }
  }
}

extension StopScenario {
  /// Judged by every rule, races among them.
  var verdictWithRaces: Verdict {
    var whole = self
    if events.last?.kind != .sessionEnd { whole.finish() }
    let subject = Analyzer.Subject(
      vcpuCount: vcpus.count, memory: [GuestRange(start: 0, length: 64 << 20)], region: Self.region, attribution: .everyWrite)
    return Verdict(of: EventList(events: whole.events, vcpuCount: vcpus.count), subject, isComplete: true)
  }

  /// A page-write that stores bytes.
  mutating func write(_ vcpu: Int, _ gpa: UInt64, _ bytes: [UInt8] = [1]) {
    let data = PageDiff(runs: [PageDiff.Run(offset: Int(gpa & 4095), bytes: bytes)]).encoded
    add(.pageWrite, vcpu, gpa: gpa & ~4095, a: 1, data: data)
  }
}

extension TreeScenario {
  var verdictWithRaces: Verdict {
    var whole = self
    if events.last?.kind != .sessionEnd { whole.add(.sessionEnd, Event.host) }
    let subject = Analyzer.Subject(
      vcpuCount: vcpuCount, memory: [GuestRange(start: 0, length: 4 << 30)], region: Self.region, attribution: attribution, writes: writes)
    return Verdict(of: EventList(events: whole.events, vcpuCount: vcpuCount), subject, isComplete: true)
  }
}
