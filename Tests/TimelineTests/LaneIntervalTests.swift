import TestSeeds
import Testing
import Timeline
import TraceEvents
import TraceFormat

/// The modes of vCPUs as intervals, told as they end.
struct LaneIntervalTests {
  /// All intervals of a list whose events `missing` are a hole.
  private func intervals(_ list: EventList, missing: Range<Int> = 0..<0, toldAs lastSeq: UInt64 = 0) throws -> [LaneInterval] {
    var all: [LaneInterval] = []
    var intervals = LaneIntervals(vcpuCount: list.vcpuCount)
    for range in missing.isEmpty ? [0..<list.events.count] : [0..<missing.lowerBound, missing.upperBound..<list.events.count] {
      if range.lowerBound > 0 { intervals.noteHole(lastSeq: lastSeq) { all.append($0) } }
      guard !range.isEmpty else { continue }
      try list.batch(range).withCursor { cursor in
        while cursor.next() { intervals.apply(cursor) { all.append($0) } }
      }
    }
    intervals.finish { all.append($0) }
    return all
  }

  private func story(_ all: [LaneInterval], _ vcpu: UInt16) -> String {
    all.filter { $0.vcpu == vcpu }.map { "\($0.mode)@\($0.from.seq)-\($0.through.seq)" }.joined(separator: " ")
  }

  @Test func aRendezvousIsStoppedPrivilegedAndBack() throws {
    var list = EventList(vcpuCount: 2)
    list.online()
    list.rendezvous(1)
    let all = try intervals(list)
    #expect(story(all, 0) == "normal@1-3 transit@4-7 privileged@8-8 transit@9-13 normal@14-14")
    #expect(story(all, 1) == "offline@1-1 normal@2-5 stopped@6-11 normal@12-14")
    // A mode ends when the next one begins, and the last one with the last event.
    let stopped = try #require(all.first { $0.mode == .stopped })
    #expect(stopped.from == LanePoint(seq: 6, time: 60) && stopped.through == LanePoint(seq: 11, time: 120))
    #expect(all.last?.through == LanePoint(seq: 14, time: 140))
  }

  @Test func eventsThatAreMissingAreInNoKnownMode() throws {
    var list = EventList(vcpuCount: 2)
    list.online()
    for _ in 0..<4 { list.add(.guestEnter, 0) }
    list.add(.stopAck, 1, b: 1)
    let all = try intervals(list, missing: 2..<4, toldAs: 4)
    #expect(story(all, 0) == "normal@1-2 unknown@3-7")
    #expect(story(all, 1) == "offline@1-1 normal@2-2 unknown@3-6 stopped@7-7")
    // The end is missing: nobody knows, up to the last event that is known to be.
    let cut = try intervals(list, missing: 2..<7, toldAs: 7)
    #expect(story(cut, 0) == "normal@1-2 unknown@3-7" && story(cut, 1) == "offline@1-1 normal@2-2 unknown@3-7")
    // Damage that swallowed no event is none.
    #expect(story(try intervals(list, missing: 7..<7), 1) == "offline@1-1 normal@2-6 stopped@7-7")
  }

  @Test func aTraceWithoutEventsHasNone() throws {
    #expect(try intervals(EventList(vcpuCount: 3)).isEmpty)
    var intervals = LaneIntervals(vcpuCount: 2)
    intervals.noteHole(lastSeq: 9) { _ in Issue.record("nobody was in any mode") }
    intervals.finish { _ in Issue.record("nobody was in any mode") }
  }

  /// Events in any order, as a stranger's trace may hold them: the same modes as are drawn, without a gap.
  @Test func whatIsToldIsWhatIsDrawn() throws {
    let kinds: [EventKind] = [
      .vcpuOnline, .vcpuOffline, .vcpuHalt, .vcpuUnhalt, .guestEnter, .integrityEnter, .integrityLeave, .rendezvousClaim, .stopAck, .modeEnter, .modeExit,
      .resumeTake, .modeReturn, .eventsLost,
    ]
    let base = Seed.base(1)
    for number in 0..<200 as Range<UInt64> {
      var seed = Seed(base &+ number)
      var list = EventList(vcpuCount: 1 + seed.below(4))
      for _ in 0..<1 + seed.below(60) {
        let kind = kinds[seed.below(kinds.count)]
        let activity = seed.below(3) + (seed.chance(30) ? Int(Activity.integrityBit) : 0)
        list.add(kind, kind == .eventsLost ? -1 : seed.below(list.vcpuCount), a: UInt64(activity), b: UInt64(seed.below(6)))
      }
      let (all, timeline) = (try intervals(list), try list.timeline())
      for vcpu in 0..<list.vcpuCount {
        let own = all.filter { Int($0.vcpu) == vcpu }
        #expect(own.map { "\($0.mode)@\($0.from.seq)" }.joined(separator: " ") == timeline.story(vcpu), "PAGETAPE_SEED=\(base &+ number)")
        #expect(own.first?.from.seq == 1 && own.last?.through.seq == UInt64(list.events.count), "PAGETAPE_SEED=\(base &+ number)")
        for (one, next) in zip(own, own.dropFirst()) {
          #expect(one.through.seq + 1 == next.from.seq && one.through.time == next.from.time, "PAGETAPE_SEED=\(base &+ number)")
        }
      }
    }
  }
}
