import TestSeeds
import Testing
import TraceEvents
import TraceFormat

@testable import Analyzer

/// A batch is judged in streaks and by kind, an event held as a value by itself: the verdict must not tell which it was.
@Suite struct BatchTests {
  static let region = GuestRange(start: 0x7000_0000, length: 0x10_0000)

  static func analyzer(_ writes: WriteMode, _ judges: [any RuleJudge] = []) -> Analyzer {
    Analyzer(
      Analyzer.Subject(
        vcpuCount: 3, memory: [GuestRange(start: 0, length: 1 << 24)], region: region, attribution: .everyWrite, writes: writes),
      judges: judges)
  }

  /// Events of every kind with operands that often mean something, most of them page-writes in streaks: the analyzer has much to tell of them.
  static func events(_ count: Int, _ random: inout Seed) -> [Event] {
    let kinds = EventKind.table.filter { $0.kind != .pageWrite && $0.kind != .eventsLost && $0.kind != .sessionEnd }
    var events: [Event] = []
    var time: UInt64 = 0
    func pick<T>(_ values: [T], _ random: inout Seed) -> T { values[random.below(values.count)] }
    while events.count < count {
      let vcpu = random.chance(5) ? Event.host : UInt16(random.below(3))
      let isWrite = random.chance(30)
      for _ in 0..<(isWrite ? 1 + random.below(30) : 1) {
        let row = isWrite ? EventKind.table.first { $0.kind == .pageWrite }! : pick(kinds, &random)
        let seq = UInt64(events.count) + 1
        time += UInt64(random.below(40))
        let page = pick([0x1000, 0x2000, 0x3000, 0x4000, 0x9000, 0xA000, region.start, region.start + 0x3000] as [UInt64], &random)
        let has = row.columns
        let data: [UInt8] =
          switch row.kind {
          case .pageWrite: random.chance(50) ? [8, 0, 0, 0, 1] : []
          case .pageContents: [UInt8](repeating: 0, count: 4096)
          default: (0..<pick([0, 8, 16], &random)).map { UInt8($0 % 3) }
          }
        events.append(
          Event(
            row.kind, vcpu: vcpu, seq: seq, time: time, gpa: has.contains(.gpa) ? page : 0,
            rip: has.contains(.rip) ? pick([0x10_0010, 0x2000, region.start + 8] as [UInt64], &random) : 0,
            cause: has.contains(.cause) ? seq - min(seq, UInt64(1 + random.below(6))) : 0, a: has.contains(.a) ? UInt64(random.below(4)) : 0,
            b: has.contains(.b) ? UInt64(random.below(3)) : 0, c: has.contains(.c) ? UInt64(random.below(2)) : 0,
            d: has.contains(.d) ? UInt64(random.below(2)) : 0, data: has.contains(.data) ? data : []))
      }
    }
    events.append(
      Event(.sessionEnd, vcpu: Event.host, seq: UInt64(events.count) + 1, time: time + UInt64(random.below(2)) * 2_000_000_000, a: UInt64(random.below(9))))
    return events
  }

  @Test("random events give the same verdict in batches of any size", arguments: [WriteMode.protected, .pages, .exact])
  func random(writes: WriteMode) throws {
    let base = Seed.base(20_261_125)
    var rules: Set<Rule> = []
    for run in 0..<40 {
      var random = Seed(base &+ UInt64(run))
      let events = Self.events(400, &random)
      var single = Self.analyzer(writes)
      for event in events { single.consume(event) }
      let expected = single.finish()
      rules.formUnion(expected.findings.map(\.rule))
      for size in [1, 7, 64, events.count] {
        var analyzer = Self.analyzer(writes)
        for start in stride(from: 0, to: events.count, by: size) {
          analyzer.consume(try EventBatch(encoding: Array(events[start..<min(start + size, events.count)]), header: TraceHeader(vcpuCount: 3)))
        }
        let verdict = analyzer.finish()
        #expect("\(verdict)" == "\(expected)", "PAGETAPE_SEED=\(base &+ UInt64(run)), batches of \(size)")
      }
    }
    #expect(rules.count >= 12, "\(rules)")
  }

  /// How long nothing had moved when a recording ended is found from the times that stay in the batches.
  @Test("a silence is as long across batches", arguments: [0, 1, 3, 300])
  func silence(writesBefore: Int) throws {
    for pause in [999_999_999, 1_000_000_000] as [UInt64] {
      var s = StopScenario(2)
      s.open(0)
      var events = s.events
      let last = events[events.count - 1]
      for number in 0..<writesBefore {
        events.append(Event(.pageWrite, vcpu: 1, seq: last.seq + 1 + UInt64(number), time: last.time + pause / 2, gpa: 0x9000, a: 1))
      }
      events.append(Event(.sessionEnd, vcpu: Event.host, seq: last.seq + 1 + UInt64(writesBefore), time: last.time + pause, a: 0))
      var single = StopScenario.analyzer(2)
      for event in events { single.consume(event) }
      let expected = "\(single.finish())"
      for size in [1, 5, 200, events.count] {
        var analyzer = StopScenario.analyzer(2)
        for start in stride(from: 0, to: events.count, by: size) {
          analyzer.consume(try EventBatch(encoding: Array(events[start..<min(start + size, events.count)]), header: TraceHeader(vcpuCount: 2)))
        }
        #expect("\(analyzer.finish())" == expected)
      }
    }
  }
}
