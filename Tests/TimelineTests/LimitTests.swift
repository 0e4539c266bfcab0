import Testing
import Timeline
import TraceEvents

/// However long a trace is, what is kept of it is bounded, and says what it leaves out.
struct LimitTests {
  private func limits(_ segments: Int = 1_000, arrows: Int = 200, alerts: Int = 100, pages: Int = 64) -> Timeline.Limits {
    var limits = Timeline.Limits()
    (limits.segments, limits.arrows, limits.alerts, limits.pages, limits.holes) = (segments, arrows, alerts, pages, 10)
    return limits
  }

  private func long(_ count: UInt64, vcpus: Int = 4) -> EventList {
    var list = EventList(vcpuCount: vcpus)
    list.online()
    for number in 1...count { list.rendezvous(number) }
    return list
  }

  /// Nanoseconds in each mode.
  private func times(_ lane: LaneHistory, until end: UInt64) -> [Double] {
    var times = [Double](repeating: 0, count: 8)
    for (index, segment) in lane.segments.enumerated() {
      let next = index + 1 < lane.segments.count ? lane.segments[index + 1].start.time : end
      for mode in 0..<8 {
        times[mode] += Double(next - segment.start.time) * Double(segment.shares?[mode] ?? (Int(segment.mode.rawValue) == mode ? 1 : 0))
      }
    }
    return times
  }

  @Test func joinedSegmentsKeepTheTimeOfEachMode() throws {
    let list = long(2_000)
    let exact = try list.timeline()
    let joined = try list.timeline(limits: limits())
    #expect(exact.grain == 1)
    // No coarser than it must be: 9,000 segments of 40,000 events go into 1,000.
    #expect(joined.grain > 1 && joined.grain <= 1_024)
    #expect(joined.lanes.reduce(joined.region.segments.count) { $0 + $1.segments.count } <= 1_000 + 256 * 2)
    for vcpu in 0..<4 {
      let (want, have) = (times(exact.lanes[vcpu], until: exact.last.time), times(joined.lanes[vcpu], until: joined.last.time))
      for mode in 0..<8 { #expect(abs(want[mode] - have[mode]) <= 0.001 * Double(exact.last.time), "vCPU \(vcpu), mode \(mode)") }
      #expect(zip(joined.lanes[vcpu].segments, joined.lanes[vcpu].segments.dropFirst()).allSatisfy { $0.start.seq < $1.start.seq })
    }
  }

  @Test func nothingIsJoinedNearAWatchedEvent() throws {
    let list = long(2_000)
    let watched: UInt64 = 20_000
    let exact = try list.timeline()
    let joined = try list.timeline(watching: EventWatch(centres: [watched]), limits: limits(4_000))
    #expect(joined.grain > 1)
    let near = watched - 400...watched + 400
    for vcpu in 0..<4 {
      #expect(joined.lanes[vcpu].segments.filter { near.contains($0.start.seq) } == exact.lanes[vcpu].segments.filter { near.contains($0.start.seq) })
    }
    #expect(joined.signals.arrows.filter { near.contains($0.sent.seq) } == exact.signals.arrows.filter { near.contains($0.sent.seq) })
  }

  @Test func signalsAreKeptByWholeRendezvous() throws {
    let signals = try long(2_000).timeline(limits: limits()).signals
    #expect(signals.total == 12_000)
    #expect(signals.stride > 1)
    #expect(!signals.arrows.isEmpty && signals.arrows.count <= 400)
    // The last one may have been cut short of its thinning, never of its signals.
    let byRendezvous = Dictionary(grouping: signals.arrows, by: \.rendezvous)
    #expect(byRendezvous.values.allSatisfy { $0.count == 6 })
  }

  @Test func signalsOfOneNumberAreBoundedToo() throws {
    var list = EventList(vcpuCount: 2)
    list.online()
    for _ in 0..<5_000 {
      let stop = list.add(.stopSend, 0, a: 1, b: 7)
      list.add(.stopAck, 1, cause: stop, b: 7)
    }
    let signals = try list.timeline(limits: limits()).signals
    #expect(signals.arrows.count <= 400)
    #expect(signals.total == 5_000)
  }

  @Test func alertsShareMarksAndNoneIsLost() throws {
    var list = EventList(vcpuCount: 3)
    list.online()
    for number in 0..<5_000 { list.add(.alert, number % 3, gpa: 0x1000, a: 1) }
    let alerts = try list.timeline(limits: limits()).alerts
    #expect(alerts.total == 5_000)
    #expect(alerts.marks.count < 100)
    for vcpu in 0..<3 as Range<UInt16> {
      let count = alerts.marks.filter { $0.vcpu == vcpu }.reduce(0) { $0 + $1.count }
      #expect(count == (vcpu < 2 ? 1_667 : 1_666))
    }
  }

  @Test func pagesShareCellsAndNoWriteIsLost() throws {
    var list = EventList(vcpuCount: 1)
    list.online()
    for number in 0..<5_000 as Range<UInt64> { list.add(.pageWrite, 0, gpa: number * 0x3000 % (1 << 40), a: 2) }
    for _ in 0..<3 { list.add(.pageWrite, 0, gpa: 0xffff_ffff_ffff_f000, a: .max) }
    let writes = try list.timeline(limits: limits()).writes
    #expect(writes.cells.count <= 64)
    #expect(writes.shift > 0)
    let others = writes.cells.filter { $0.key < 1 << (40 - 12 - writes.shift) }
    #expect(others.values.reduce(0) { $0 + $1.writes } == 10_000)
    // A stranger's count does not wrap around.
    #expect(writes.cells.values.contains { $0.writes == .max })
  }

  @Test func aClockThatStandsStillIsNoDivisionByZero() throws {
    var lane = EventList(vcpuCount: 2)
    lane.online()
    for number in 1...500 as ClosedRange<UInt64> { lane.rendezvous(number) }
    var still = Timeline(vcpuCount: 2, limits: limits(100))
    var events = lane.events
    for index in events.indices { events[index].time = 5 }
    still.consume(try EventList(events, vcpuCount: 2).batch(0..<events.count))
    still.finish()
    #expect(still.grain > 1)
    for segment in still.lanes.flatMap(\.segments) {
      guard let shares = segment.shares else { continue }
      #expect(abs(shares.sum() - 1) < 0.001)
    }
  }

  @Test func holesAreCounted() {
    var timeline = Timeline(vcpuCount: 1, limits: limits())
    for number in 1...25 as ClosedRange<UInt64> { timeline.noteHole(lostEvents: 1, firstSeq: number, lastSeq: number, damage: nil) }
    #expect(timeline.holes.count == 10)
    #expect(timeline.moreHoles == 15)
  }
}
