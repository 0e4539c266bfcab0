import Analyzer
import Glibc
import Testing
import TraceEvents
import TraceFormat

/// Long random runs of a correct protocol.
@Suite struct StopRandomTests {
  static let seed: UInt64 = unsafe getenv("PAGETAPE_SEED").flatMap { unsafe UInt64(String(cString: $0)) } ?? 1

  @Test("a correct run is clean, event by event and in batches", arguments: 1...5)
  func clean(vcpus: Int) throws {
    var (rounds, handOvers) = (0, 0)
    for seed in Self.seed..<Self.seed + 120 {
      var walk = StopRandomWalk(vcpus: vcpus, offline: vcpus > 2 ? 1 : 0, seed: seed)
      walk.walk(600)
      let events = walk.scenario.events
      rounds += events.count { $0.kind == .rendezvousEnd }
      handOvers += events.count { $0.kind == .modeExit && $0.a == ExitPath.handOver.rawValue }
      let verdict = walk.scenario.verdict
      #expect(verdict.outcome == .clean, "seed \(seed): \(verdict.findings)")
      var analyzer = StopScenario.analyzer(vcpus)
      for start in stride(from: 0, to: events.count, by: 64) {
        analyzer.consume(try EventBatch(encoding: Array(events[start..<min(start + 64, events.count)]), header: TraceHeader(vcpuCount: vcpus)))
      }
      let batched = analyzer.finish()
      #expect(batched.outcome == .clean && batched.events == verdict.events && batched.undecided == verdict.undecided, "seed \(seed)")
      if verdict.outcome != .clean { break }
    }
    #expect(rounds > 120)
    #expect(vcpus == 1 || handOvers > 10)
  }

  @Test("holes in a correct run make no violation")
  func holes() {
    for seed in Self.seed..<Self.seed + 60 {
      var walk = StopRandomWalk(vcpus: 4, offline: 1, seed: seed)
      walk.walk(400)
      let events = walk.scenario.events
      for index in 0..<40 {
        let from = 1 + (index * 97 + Int(seed % 1000) * 31) % (events.count - 60)
        let kept = events[..<from] + events[(from + 1 + index)...]
        var analyzer = StopScenario.analyzer(4)
        for event in kept { analyzer.consume(event) }
        let verdict = analyzer.finish()
        #expect(Set(verdict.findings.map(\.rule)) == [.traceLost], "seed \(seed), \(index + 1) missing from \(from + 1): \(verdict.findings)")
      }
    }
  }

  @Test("a dropped event of the protocol is not taken for nothing")
  func mutations() {
    // Leaving out one ack, exit, map or resume without a hole in the numbers must be noticed wherever it is not redundant.
    let kinds: Set<EventKind> = [.stopAck, .regionMap, .modeEnter, .resumeSend]
    var (tried, noticed) = (0, 0)
    for seed in Self.seed..<Self.seed + 20 {
      var walk = StopRandomWalk(vcpus: 3, offline: 0, seed: seed)
      walk.walk(300)
      for (index, event) in walk.scenario.events.enumerated() where kinds.contains(event.kind) && index < 250 {
        var events = walk.scenario.events
        // In its place an event that means nothing, so that every number stays.
        events[index] = Event(.console, vcpu: event.vcpu, seq: event.seq, time: event.time)
        var analyzer = StopScenario.analyzer(3)
        for event in events { analyzer.consume(event) }
        tried += 1
        if analyzer.finish().outcome == .violated { noticed += 1 }
      }
    }
    #expect(tried > 200)
    #expect(noticed == tried, "\(noticed) of \(tried)")
  }
}
