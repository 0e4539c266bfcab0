import Analyzer
import Testing
import TraceEvents
import TraceFormat

/// Holes: what they do to the verdict, and that nothing is concluded across them.
@Suite struct TraceRulesTests {
  /// A rendezvous of three vCPUs with a next-in, twice.
  private static func protocolRun() -> StopScenario {
    var s = StopScenario(3)
    for first in [0, 2] {
      s.open(first)
      s.raise(1)
      s.enterMode(1, .next)
      s.exitMode(first, .notLast)
      s.close(1)
    }
    s.finish()
    return s
  }

  private func rules(_ verdict: Verdict) -> Set<Rule> { Set(verdict.findings.map(\.rule)) }

  @Test("the recorder lost events")
  func lost() {
    var s = StopScenario(2)
    s.add(.eventsLost, Event.host, a: 412, b: LossCause.recorderOverflow.rawValue)
    let verdict = s.verdict
    #expect(verdict.outcome == .incomplete)
    #expect(verdict.lost == 412)
    #expect(rules(verdict) == [.traceLost])
    #expect(verdict.findings[0].rule.severity == .loss)
    s = StopScenario(2)
    #expect(s.verdict.outcome == .clean)
  }

  @Test("the file is damaged")
  func damaged() {
    let s = Self.protocolRun()
    var analyzer = StopScenario.analyzer(3)
    for event in s.events.prefix(20) { analyzer.consume(event) }
    analyzer.noteHole(lostEvents: 10, firstSeq: 21, lastSeq: 30, damage: "frame 3 fails its checksum")
    for event in s.events.dropFirst(30) { analyzer.consume(event) }
    let verdict = analyzer.finish()
    #expect(verdict.outcome == .incomplete)
    #expect(verdict.lost == 10)
    #expect(rules(verdict) == [.traceDamaged])
    #expect(verdict.findings[0].seq == 21)
    #expect(verdict.findings[0].observed.contains("frame 3 fails its checksum"))
  }

  @Test("the recording does not end by itself")
  func cut() {
    let s = Self.protocolRun()
    for count in 1..<s.events.count {
      var analyzer = StopScenario.analyzer(3)
      for event in s.events.prefix(count) { analyzer.consume(event) }
      let verdict = analyzer.finish()
      #expect(verdict.outcome == .incomplete)
      #expect(rules(verdict) == [.traceLost])
    }
    #expect(s.verdict.outcome == .clean)
    // The end is there, but the reader says that the file is not whole.
    var analyzer = StopScenario.analyzer(3)
    for event in s.events { analyzer.consume(event) }
    #expect(analyzer.finish(isComplete: false).outcome == .incomplete)
  }

  @Test("a hole of any size anywhere makes no violation of a correct run")
  func holes() {
    let s = Self.protocolRun()
    for from in 0..<s.events.count - 1 {
      for to in from + 1..<s.events.count {
        var analyzer = StopScenario.analyzer(3)
        for event in s.events[..<from] + s.events[to...] { analyzer.consume(event) }
        let verdict = analyzer.finish()
        #expect(rules(verdict) == [.traceLost], "missing \(from + 1)...\(to): \(verdict.findings)")
        #expect(verdict.outcome == .incomplete)
        #expect(verdict.lost == UInt64(to - from))
      }
    }
  }

  @Test("a hole that the recorder tells of makes no violation either: what it dropped has no numbers, and causes name the loss")
  func dropped() {
    let s = Self.protocolRun()
    for from in 1..<s.events.count - 1 {
      for to in from + 1..<s.events.count {
        let loss = UInt64(from) + 1
        let count = UInt64(to - from)
        func renumbered(_ seq: UInt64) -> UInt64 { seq < loss ? seq : seq <= UInt64(to) ? loss : seq - count + 1 }
        var analyzer = StopScenario.analyzer(3)
        for event in s.events[..<from] { analyzer.consume(event) }
        analyzer.consume(Event(.eventsLost, vcpu: Event.host, seq: loss, time: 0, a: count, b: LossCause.recorderOverflow.rawValue))
        for var event in s.events[to...] {
          (event.seq, event.cause) = (renumbered(event.seq), renumbered(event.cause))
          if event.kind == .regionMap {
            let acks = stride(from: 0, to: event.data.count, by: 8).map { at in (0..<8).reduce(0) { $0 | UInt64(event.data[at + $1]) << UInt64($1 * 8) } }
            event.data = acks.flatMap { ack in (0..<8).map { UInt8(truncatingIfNeeded: renumbered(ack) >> UInt64($0 * 8)) } }
          }
          analyzer.consume(event)
        }
        let verdict = analyzer.finish()
        #expect(rules(verdict) == [.traceLost], "missing \(from + 1)...\(to): \(verdict.findings)")
        #expect(verdict.outcome == .incomplete && verdict.lost == count)
      }
    }
  }

  @Test("violations after a hole are found again once the state is known, and outrank the loss")
  func afterHole() {
    var s = StopScenario(3)
    s.open(0)
    s.close(0)
    let hole = s.events.count
    s.open(0)
    s.close(0)
    s.open(2)
    s.unmap()
    s.finish()
    var analyzer = StopScenario.analyzer(3)
    for event in s.events.prefix(hole - 4) { analyzer.consume(event) }
    for event in s.events.dropFirst(hole + 2) { analyzer.consume(event) }
    let verdict = analyzer.finish()
    #expect(verdict.outcome == .violated)
    #expect(verdict.isIncomplete)
    #expect(rules(verdict) == [.traceLost, .stopEarlyUnmap])
  }

  @Test("page-writes lost by the host leave the protocol known")
  func overflow() {
    var s = StopScenario(2)
    s.open(0)
    s.add(.eventsLost, 0, a: 5, b: LossCause.dirtyRingOverflow.rawValue)
    s.unmap()
    #expect(rules(s.verdict) == [.traceLost, .stopEarlyUnmap])
  }

  @Test("batches judge as events do, and a gap between them is a hole")
  func batches() throws {
    let s = Self.protocolRun()
    let header = TraceHeader(vcpuCount: 3)
    var analyzer = StopScenario.analyzer(3)
    for start in stride(from: 0, to: s.events.count, by: 7) {
      analyzer.consume(try EventBatch(encoding: Array(s.events[start..<min(start + 7, s.events.count)]), header: header))
    }
    let verdict = analyzer.finish()
    #expect(verdict.outcome == .clean)
    #expect(verdict.events == UInt64(s.events.count))
    var gapped = StopScenario.analyzer(3)
    gapped.consume(try EventBatch(encoding: Array(s.events[..<10]), header: header))
    gapped.consume(try EventBatch(encoding: Array(s.events[15...]), header: header))
    let second = gapped.finish()
    #expect(second.lost == 5)
    #expect(rules(second) == [.traceLost])
  }

  @Test("a verdict on some rules only")
  func restricted() {
    var s = StopScenario(2)
    s.open(0)
    s.unmap()
    #expect(s.verdict.restricted(to: RuleGlob("tree/*")).outcome == .clean)
    #expect(s.verdict.restricted(to: RuleGlob("stop/early-*")).outcome == .violated)
    #expect(s.verdict.restricted(to: RuleGlob("*")).findings.count == 1)
    #expect(RuleGlob("stop/?arly-unmap").matches(.stopEarlyUnmap))
    #expect(!RuleGlob("stop/early").matches(.stopEarlyUnmap))
    #expect(!RuleGlob("stop").matchesAny)
    #expect(RuleGlob("*/lost").matches(.traceLost))
  }
}
