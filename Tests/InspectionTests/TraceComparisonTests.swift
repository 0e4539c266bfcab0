import Inspection
import TestSeeds
import Testing
import TraceEvents
import TraceFormat

struct TraceComparisonTests {
  static let header = TraceHeader(vcpuCount: 4)

  private func compare(
    _ a: [Event], _ b: [Event], options: TraceComparison.Options = .init(), block: Int = 7, isComplete: Bool = true
  ) throws -> TraceComparison {
    var comparison = TraceComparison(vcpuCounts: 4, 4, options: options)
    var next = [0, 0]
    while let side = comparison.wants {
      let events = side == .a ? a : b
      let start = next[side.rawValue]
      guard start < events.count else {
        comparison.end(side, isComplete: isComplete)
        continue
      }
      // A block ends where numbers jump.
      var end = start + 1
      while end < events.count, end - start < block, events[end].seq == events[end - 1].seq + 1 { end += 1 }
      comparison.add(try EventBatch(encoding: Array(events[start..<end]), header: Self.header), from: side)
      next[side.rawValue] = end
    }
    return comparison
  }

  /// Events of four vCPUs and the host, each answering an earlier one now and then.
  private func events(_ count: Int, _ random: inout Seed) -> [Event] {
    (1...UInt64(count)).map { seq in
      let vcpu = random.chance(10) ? Event.host : UInt16(random.below(4))
      let cause = seq > 1 && random.chance(60) ? 1 + UInt64(random.below(Int(seq) - 1)) : 0
      switch random.below(4) {
      case 0: return Event(.guestEnter, vcpu: vcpu, seq: seq, time: seq * 5, rip: UInt64(random.below(9)))
      case 1: return Event(.hypercallResult, vcpu: vcpu, seq: seq, time: seq * 5, cause: cause, a: UInt64(random.below(3)))
      case 2: return Event(.console, vcpu: vcpu, seq: seq, time: seq * 5, data: (0..<random.below(20)).map { _ in UInt8(random.below(3)) })
      default: return Event(.stopAck, vcpu: vcpu, seq: seq, time: seq * 5, rip: 3, cause: cause, a: 0, b: 1, c: random.next())
      }
    }
  }

  /// The same events of each vCPU in another order between them, with new times: what they answer still comes before them.
  private func reordered(_ events: [Event], _ random: inout Seed) -> [Event] {
    var rest = events
    var numbers: [UInt64: UInt64] = [:]
    var out: [Event] = []
    while !rest.isEmpty {
      let first = rest.indices.prefix(30).filter { index in
        !rest[..<index].contains { $0.vcpu == rest[index].vcpu } && (rest[index].cause == 0 || numbers[rest[index].cause] != nil)
      }
      var event = rest.remove(at: first[random.below(first.count)])
      numbers[event.seq] = UInt64(out.count + 1)
      event.cause = event.cause == 0 ? 0 : numbers[event.cause] ?? 0
      (event.seq, event.time) = (UInt64(out.count + 1), UInt64(out.count) * 17)
      out.append(event)
    }
    return out
  }

  @Test func theSameEventsInAnotherOrderAreTheSame() throws {
    let base = Seed.base(1)
    print("PAGETAPE_SEED=\(base)")
    for number in 0..<40 {
      var random = Seed(base &* 31 &+ UInt64(number))
      let events = events(50 + random.below(300), &random)
      let other = reordered(events, &random)
      let comparison = try compare(events, other, block: 1 + random.below(50))
      #expect(comparison.verdict == .same, "seed \(base), trace \(number)")
      #expect(comparison.lanes.reduce(0) { $0 + $1.common } == UInt64(events.count))
      #expect(comparison.farCauses == 0)
    }
  }

  @Test func oneEventThatDiffersIsFound() throws {
    let base = Seed.base(1)
    for number in 0..<100 {
      var random = Seed(base &* 77 &+ UInt64(number))
      let events = events(100, &random)
      var other = reordered(events, &random)
      let index = random.below(other.count)
      let lane = other[index].vcpu
      switch random.below(4) {
      case 0: other[index].kind = .rendezvousEnd
      case 1:
        guard other[index].kind == .hypercallResult else { continue }
        other[index].a += 1
      case 2:
        guard other[index].kind == .console else { continue }
        other[index].data.append(0)
      default:
        guard other[index].cause > 1 else { continue }
        other[index].cause -= 1
      }
      let place = other[..<index].count { $0.vcpu == lane }
      let original = events.filter { $0.vcpu == lane }[place]
      let comparison = try compare(events, other, block: 1 + random.below(30))
      let label: Comment = "seed \(base), trace \(number)"
      let found = try #require(comparison.lanes.first { $0.vcpu == lane }, label)
      #expect(found.outcome == .diverges(a: original.seq, b: other[index].seq), label)
      #expect(found.common == UInt64(place), label)
      #expect(found.context.count == min(3, place), label)
      // Only what answers an event can differ with it: the others agree.
      for lane in comparison.lanes where lane.vcpu != found.vcpu { #expect(lane.outcome == .agrees, label) }
      #expect(comparison.verdict == .differ && comparison.first?.vcpu == lane, label)
    }
  }

  @Test func whatIsIgnoredDoesNotCount() throws {
    var random = Seed(Seed.base(1))
    let events = events(200, &random)
    var other = events
    for index in other.indices {
      other[index].rip = other[index].rip == 0 ? 0 : other[index].rip + 1
      if other[index].kind == .stopAck { other[index].c ^= 1 }
      if other[index].kind == .console { other[index].data = [9] }
    }
    #expect(try compare(events, other).verdict == .differ)
    var options = TraceComparison.Options()
    options.ignored = [.rip, .registers, .data]
    #expect(try compare(events, other, options: options).verdict == .same)
    // A kind passed over: it may be missing.
    options = .init()
    options.ignoredKinds = [.console]
    var fewer = events.filter { $0.kind != .console && $0.kind != .guestEnter }
    let all = events.filter { $0.kind != .guestEnter }
    var numbers: [UInt64: UInt64] = [:]
    for index in fewer.indices { numbers[fewer[index].seq] = UInt64(index + 1) }
    for index in fewer.indices { (fewer[index].seq, fewer[index].cause) = (UInt64(index + 1), numbers[fewer[index].cause] ?? 0) }
    var renumbered = all
    numbers = [:]
    for index in all.indices { numbers[all[index].seq] = UInt64(index + 1) }
    for index in all.indices { (renumbered[index].seq, renumbered[index].cause) = (UInt64(index + 1), numbers[all[index].cause] ?? 0) }
    options.ignored = [.cause]
    let comparison = try compare(renumbered, fewer, options: options)
    #expect(comparison.verdict == .same)
    #expect(comparison.lanes.reduce(0) { $0 + $1.common } == UInt64(fewer.count))
  }

  @Test func oneThatEndsEarlierDiffersThere() throws {
    var random = Seed(Seed.base(1) &+ 5)
    let events = events(100, &random)
    let short = Array(events.prefix(60))
    let comparison = try compare(events, short)
    for lane in comparison.lanes {
      let next = events.dropFirst(60).first { $0.vcpu == lane.vcpu }
      #expect(lane.outcome == next.map { .diverges(a: $0.seq, b: nil) } ?? .agrees)
    }
    // One that is cut short says nothing of what comes later.
    let cut = try compare(events, short, isComplete: false)
    #expect(cut.verdict == .undecided)
    #expect(cut.lanes.allSatisfy { if case .undecided = $0.outcome { true } else { false } })
  }

  @Test func nothingIsSaidAcrossAHole() throws {
    var random = Seed(Seed.base(1) &+ 6)
    let events = events(100, &random)
    var damaged = events
    damaged.removeSubrange(40..<50)
    let comparison = try compare(events, damaged)
    #expect(comparison.verdict == .undecided)
    #expect(comparison.lanes.allSatisfy { $0.outcome == .undecided(.hole(.b, from: 41)) })
    #expect(comparison.lanes.reduce(0) { $0 + $1.common } == 40)
    // But a difference before it is one.
    damaged[3].kind = .rendezvousEnd
    #expect(try compare(events, damaged).verdict == .differ)
  }

  @Test func endsOfRecordingsAreComparedWhereTheyBeginAlike() throws {
    let tail = (10...20).map { Event(.console, vcpu: 1, seq: $0) }
    #expect(try compare(tail, tail).verdict == .same)
    let comparison = try compare(tail, Array(tail.dropFirst()))
    #expect(comparison.verdict == .undecided && comparison.lanes[0].outcome == .undecided(.starts(a: 10, b: 11)))
  }

  @Test func lostEventsLeaveItOpen() throws {
    let events = [Event(.console, vcpu: 1, seq: 1), Event(.eventsLost, vcpu: 0, seq: 2, a: 5), Event(.console, vcpu: 1, seq: 3)]
    let comparison = try compare(events, events)
    #expect(comparison.verdict == .undecided && comparison.losses == [2, 2])
  }

  @Test func skewIsBounded() throws {
    // One vCPU comes at the start of one trace and at the end of the other.
    let first = (1...300).map { Event(.console, vcpu: $0 <= 150 ? 0 : 1, seq: $0) }
    let second = (1...300).map { Event(.console, vcpu: $0 <= 150 ? 1 : 0, seq: $0) }
    var options = TraceComparison.Options()
    options.skewLimit = 100
    let comparison = try compare(first, second, options: options, block: 10)
    #expect(comparison.verdict == .undecided)
    #expect(comparison.lanes.contains { if case .undecided(.skew) = $0.outcome { true } else { false } })
    options.skewLimit = 400
    #expect(try compare(first, second, options: options, block: 10).verdict == .same)
  }

  @Test func headersAreCompared() {
    let a = TraceHeader(vcpuCount: 2, properties: [.init("seed", "1"), .init("fault", "x"), .init("fault", "y"), .init("command-line", "1")])
    let b = TraceHeader(vcpuCount: 3, properties: [.init("seed", "1"), .init("fault", "x"), .init("command-line", "2")])
    #expect(
      HeaderDifference.all(a, b) == [HeaderDifference(name: "vcpus", a: "2", b: "3"), HeaderDifference(name: "fault", a: "x, y", b: "x")])
    #expect(HeaderDifference.all(a, a).isEmpty)
  }
}
