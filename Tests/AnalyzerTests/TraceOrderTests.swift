import HappensBefore
import TestSeeds
import Testing
import TraceEvents
import TraceOrder

/// The clocks of a trace against a graph of its edges, made from the events by other means and searched without clocks.
@Suite struct TraceOrderTests {
  /// Whether `early` must come before `late`, by the table of edges: each pair of events is looked at by itself, with no state in between.
  static func waits(_ late: Event, for early: Event, in events: [Event]) -> Bool {
    func between(_ matches: (Event) -> Bool) -> Bool { events.contains { $0.seq > early.seq && $0.seq < late.seq && matches($0) } }
    let namesCause = late.cause == early.seq
    switch late.kind {
    case .stopAck, .resumeTake, .regionUnmap, .resumeSend, .vcpuOffline: return namesCause
    case .vcpuOnline:
      return namesCause || (late.a == 0 && early.kind == .regionUnmap && !between { $0.kind == .regionUnmap })
    case .interruptDeliver, .vcpuUnhalt:
      let vector = late.kind == .interruptDeliver ? late.a : events.first { $0.seq == late.cause }?.b
      let isOfLine = early.kind == .interruptRaise && early.a == UInt64(late.vcpu) && early.b == vector
      let isPending = late.kind == .interruptDeliver || events.contains { $0.seq == late.cause && $0.kind == .interruptRaise && $0.a == UInt64(late.vcpu) }
      return namesCause || (isOfLine && isPending && !between { $0.kind == .interruptDeliver && $0.vcpu == late.vcpu && $0.a == vector })
    case .rendezvousClaim: return namesCause || isLatched(late, early, between)
    case .regionMap:
      let wentOffline = early.kind == .vcpuOffline && !between { $0.kind == .regionMap || ($0.kind == .vcpuOnline && $0.vcpu == early.vcpu) }
      return wentOffline || stride(from: 0, to: late.data.count, by: 8).contains { start in
        (0..<8).reduce(0 as UInt64) { $0 | UInt64(late.data[start + $1]) << UInt64($1 * 8) } == early.seq
      }
    case .modeEnter where late.a == EntryPath.next.rawValue:
      let isFirst = early.kind == .modeEnter && early.b == late.b && early.a != EntryPath.next.rawValue
      let isLastFirst = isFirst && !between { $0.kind == .modeEnter && $0.b == late.b && $0.a != EntryPath.next.rawValue }
      return namesCause || isLatched(late, early, between) || isLastFirst
    case .modeEnter where late.a == EntryPath.handedOver.rawValue:
      let isHandOver = early.kind == .modeExit && early.b == late.b && early.a == ExitPath.handOver.rawValue
      let isLastOne = isHandOver && !between { $0.kind == .modeExit && $0.b == late.b && $0.a == ExitPath.handOver.rawValue }
      return namesCause || isLatched(late, early, between) || isLastOne
    case .modeEnter: return namesCause || isLatched(late, early, between)
    case .modeExit where late.a != ExitPath.notLast.rawValue:
      let isExit = early.kind == .modeExit && early.b == late.b && early.a != ExitPath.last.rawValue
      return isExit && !between { $0.kind == .modeExit && $0.b == late.b && $0.a != ExitPath.notLast.rawValue }
    case .stopSend:
      let isWake = (early.kind == .resumeTake || early.kind == .modeReturn) && UInt64(early.vcpu) == late.a
      return isWake && !between { ($0.kind == .resumeTake || $0.kind == .modeReturn) && UInt64($0.vcpu) == late.a }
    default: return false
    }
  }

  /// An interrupt for the mode that this entry, or the claim before it, serves with the one it names.
  private static func isLatched(_ late: Event, _ early: Event, _ between: ((Event) -> Bool) -> Bool) -> Bool {
    early.kind == .privilegedRaise && early.a == UInt64(late.vcpu) && !between { $0.kind == .modeEnter && $0.vcpu == late.vcpu }
  }

  /// `reached[j][i]`: event i happens before event j.
  static func reach(_ events: [Event]) -> [[Bool]] {
    var reached = Array(repeating: Array(repeating: false, count: events.count), count: events.count)
    for late in events.indices {
      reached[late][late] = true
      for early in 0..<late where events[early].vcpu == events[late].vcpu || waits(events[late], for: events[early], in: events) {
        for index in 0...early where reached[early][index] { reached[late][index] = true }
      }
    }
    return reached
  }

  static func compare(_ events: [Event], vcpus: Int, _ what: String, onlyInGuest: Bool = false) -> Int {
    let reached = reach(events)
    var clocks = TraceClocks(vcpuCount: vcpus)
    var epochs: [Clocks.Epoch?] = []
    var unordered = 0
    for late in events.indices {
      let acts = !onlyInGuest || events[late].kind == .guestEnter || events[late].kind == .guestExit
      epochs.append(acts ? clocks.epoch(of: events[late].vcpu) : nil)
      if TraceOrder.concerns(events[late].kind) { clocks.take(events[late]) }
      for early in 0..<late {
        guard let epoch = epochs[early] else { continue }
        let isOrdered = clocks.isOrdered(epoch, before: events[late].vcpu)
        if !isOrdered { unordered += 1 }
        if isOrdered != reached[late][early] {
          Issue.record("\(what): \(early + 1) before \(late + 1): \(isOrdered), by the graph \(reached[late][early])")
          return unordered
        }
      }
    }
    return unordered
  }

  /// The edges by themselves, as `races`, exports and predictions take them: what they reach is what the graph does.
  static func compareEdges(_ events: [Event], vcpus: Int, _ what: String) {
    let expected = reach(events)
    var order = TraceOrder(vcpuCount: vcpus)
    var reached = Array(repeating: Array(repeating: false, count: events.count), count: events.count)
    var last: [UInt16: Int] = [:]
    for late in events.indices {
      order.take(events[late])
      let waited = order.sources.compactMap { seq in events[..<late].firstIndex { $0.seq == seq } }
      for early in waited + [last[events[late].vcpu]].compactMap({ $0 }) {
        for index in 0...early where reached[early][index] { reached[late][index] = true }
      }
      reached[late][late] = true
      last[events[late].vcpu] = late
      if let early = (0..<late).first(where: { reached[late][$0] != expected[late][$0] }) {
        Issue.record("\(what): \(early + 1) before \(late + 1): \(reached[late][early]) by the edges, by the graph \(expected[late][early])")
        return
      }
    }
  }

  /// Something is done at every event, or only where a vCPU is in the guest.
  @Test("correct runs", arguments: 1...6, [false, true])
  func correct(vcpus: Int, onlyInGuest: Bool) {
    var unordered = 0
    for seed in StopRandomTests.seed..<StopRandomTests.seed + 20 {
      var walk = StopRandomWalk(vcpus: vcpus, offline: vcpus > 2 ? 1 : 0, seed: seed)
      walk.walk(120)
      unordered += Self.compare(walk.scenario.events, vcpus: vcpus, "seed \(seed)", onlyInGuest: onlyInGuest)
      if !onlyInGuest { Self.compareEdges(walk.scenario.events, vcpus: vcpus, "seed \(seed)") }
    }
    #expect(vcpus == 1 || unordered > 100)
  }

  /// Whatever a faulty recorder writes: maps that wait for some acks only, causes that are missing.
  @Test("runs that forget to wait", arguments: 2...5)
  func forgetful(vcpus: Int) {
    for seed in StopRandomTests.seed..<StopRandomTests.seed + 20 {
      var walk = StopRandomWalk(vcpus: vcpus, offline: 0, seed: seed)
      walk.walk(120)
      var events = walk.scenario.events
      var random = Seed(seed)
      for index in events.indices {
        if events[index].kind == .regionMap, events[index].data.count >= 8, random.below(2) == 0 { events[index].data.removeLast(8) }
        if events[index].kind != .stopAck, random.below(8) == 0 { events[index].cause = 0 }
      }
      _ = Self.compare(events, vcpus: vcpus, "seed \(seed)")
      Self.compareEdges(events, vcpus: vcpus, "seed \(seed)")
    }
  }

  @Test("a trap waits for the trace that made it trap, however long ago that was put on")
  func traps() {
    var clocks = TraceClocks(vcpuCount: 3)
    let before = clocks.epoch(of: 0)
    clocks.take(Event(.traceInstall, vcpu: 0, seq: 1, gpa: 0x4000, a: 4))
    clocks.take(Event(.traceRemove, vcpu: 0, seq: 2, gpa: 0x5000, a: 1))
    let after = clocks.epoch(of: 0)
    // Enough that a message of that age is gone.
    for seq in 3..<70_000 as Range<UInt64> { clocks.take(Event(.interruptRaise, vcpu: 2, seq: seq, a: 2)) }
    clocks.take(Event(.writeTrap, vcpu: 1, seq: 70_000, gpa: 0x5008))
    let isOrderedByOther = clocks.isOrdered(before, before: 1)
    #expect(!isOrderedByOther)
    clocks.take(Event(.writeTrap, vcpu: 1, seq: 70_001, gpa: 0x7ff8))
    let (isOrdered, isAfterOrdered, unknown) = (clocks.isOrdered(before, before: 1), clocks.isOrdered(after, before: 1), clocks.unknownSources)
    #expect(isOrdered && !isAfterOrdered && unknown == 0)
  }

  @Test("so do the edges by themselves")
  func trapEdges() {
    var order = TraceOrder(vcpuCount: 2)
    order.take(Event(.traceInstall, vcpu: 0, seq: 1, gpa: 0x4000, a: 4))
    order.take(Event(.traceRemove, vcpu: 0, seq: 2, gpa: 0x5000, a: 1))
    for (gpa, expected) in [(0x5008, []), (0x7ff8, [1]), (0x4000, [1]), (0x8000, [])] as [(UInt64, [UInt64])] {
      order.take(Event(.writeTrap, vcpu: 1, seq: 3, gpa: gpa))
      let sources = order.sources
      #expect(sources == expected, "\(gpa)")
    }
  }

  /// In correct runs the last one out unmaps and resumes, so that its own order says as much.
  @Test(
    "an unmap, a resume, a vCPU's coming online waits for the event it names, whoever that was",
    arguments: [(EventKind.modeExit, EventKind.regionUnmap), (.regionUnmap, .resumeSend), (.vcpuStart, .vcpuOnline)])
  func named(early: EventKind, late: EventKind) {
    let events = [Event(early, vcpu: 0, seq: 1, a: 1, b: 1), Event(late, vcpu: 1, seq: 2, cause: 1, a: 2, b: 1)]
    var order = TraceOrder(vcpuCount: 3)
    var clocks = TraceClocks(vcpuCount: 3)
    let epoch = clocks.epoch(of: 0)
    for event in events {
      order.take(event)
      clocks.take(event)
    }
    let (sources, isOrdered) = (order.sources, clocks.isOrdered(epoch, before: 1))
    #expect(sources == [1] && isOrdered)
  }

  @Test("what is waited for and not known orders everything: a race may be hidden, none is invented")
  func unknown() {
    var clocks = TraceClocks(vcpuCount: 3)
    clocks.take(Event(.interruptRaise, vcpu: 0, seq: 1, a: 1))
    let epoch = clocks.epoch(of: 2)
    clocks.take(Event(.interruptDeliver, vcpu: 1, seq: 5, cause: 3))
    let (isOrdered, count) = (clocks.isOrdered(epoch, before: 1), clocks.unknownSources)
    #expect(isOrdered && count == 1)
  }
}
