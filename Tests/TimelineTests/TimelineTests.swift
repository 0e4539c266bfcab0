import Testing
import Timeline
import TraceEvents
import TraceFormat

/// What is drawn of a trace, where there is room for all of it.
struct TimelineTests {
  @Test func aRendezvousIsStoppedPrivilegedAndBack() throws {
    var list = EventList(vcpuCount: 3)
    list.online()
    let (stops, acks, resumes) = list.rendezvous(1)
    let timeline = try list.timeline()
    #expect(timeline.story(0) == "normal@1 transit@5 privileged@11 transit@12 normal@19")
    #expect(timeline.story(1) == "offline@1 normal@2 stopped@8 normal@16")
    #expect(timeline.story(2) == "offline@1 normal@3 stopped@9 normal@17")
    #expect(timeline.region.story == "normal@1 privileged@10 normal@13")
    let arrows = timeline.signals.arrows
    #expect(arrows.map(\.kind) == [.stop, .stop, .resume, .resume])
    #expect(arrows.map(\.sent.seq) == stops + resumes)
    #expect(arrows.prefix(2).map { $0.taken?.seq ?? 0 } == acks)
    #expect(arrows.allSatisfy { $0.from == 0 && $0.rendezvous == 1 && $0.taken != nil })
    #expect(arrows.map(\.to) == [1, 2, 1, 2])
    #expect(timeline.claims == [1, 0, 0])
    #expect(timeline.acks == [0, 1, 1])
    #expect(timeline.eventCount == UInt64(list.events.count))
    #expect(timeline.last == LanePoint(seq: UInt64(list.events.count), time: UInt64(list.events.count) * 10))
  }

  @Test func batchesDoNotShow() throws {
    var list = EventList(vcpuCount: 4)
    list.online()
    for number in 1...9 as ClosedRange<UInt64> { list.rendezvous(number) }
    let whole = try list.timeline(size: 100_000)
    for size in [1, 2, 7, 64] {
      let parts = try list.timeline(size: size)
      #expect(parts.lanes.map(\.story) == whole.lanes.map(\.story))
      #expect(parts.region.story == whole.region.story)
      #expect(parts.signals.arrows == whole.signals.arrows)
    }
  }

  @Test func haltsAndIntegrityModeAreShownAndComeBackAfterAStop() throws {
    var list = EventList(vcpuCount: 2)
    list.online()
    list.add(.integrityEnter, 1)
    let stop = list.add(.stopSend, 0, a: 1, b: 1)
    list.add(.stopAck, 1, cause: stop, a: Activity.running.inIntegrityMode(true).rawValue, b: 1)
    let resume = list.add(.resumeSend, 0, a: 1, b: 1)
    list.add(.resumeTake, 1, cause: resume, a: Activity.running.inIntegrityMode(true).rawValue, b: 1)
    list.add(.integrityLeave, 1)
    list.add(.vcpuHalt, 1)
    list.add(.vcpuUnhalt, 1)
    list.add(.vcpuOffline, 1)
    #expect(try list.timeline().story(1) == "offline@1 normal@2 integrity@3 stopped@5 integrity@7 normal@8 halted@9 normal@10 offline@11")
  }

  @Test func aVCPUThatLeavesWithOthersInGoesToTheStopState() throws {
    var list = EventList(vcpuCount: 1)
    list.online()
    list.add(.modeEnter, 0, a: EntryPath.next.rawValue, b: 1)
    list.add(.modeExit, 0, a: ExitPath.notLast.rawValue, b: 1)
    list.add(.modeEnter, 0, a: EntryPath.handedOver.rawValue, b: 1)
    list.add(.modeExit, 0, a: ExitPath.handOver.rawValue, b: 1)
    #expect(try list.timeline().story(0) == "normal@1 privileged@2 stopped@3 privileged@4 stopped@5")
  }

  @Test func aSignalThatNobodyTakesHasNoEnd() throws {
    var list = EventList(vcpuCount: 2)
    list.online()
    let lost = list.add(.stopSend, 0, a: 1, b: 1)
    let second = list.add(.stopSend, 0, a: 1, b: 2)
    // Answers the second one, and an ack of nothing is no arrow.
    list.add(.stopAck, 1, cause: second, b: 2)
    list.add(.stopAck, 1, cause: 1, b: 2)
    list.add(.stopSend, 0, a: 99, b: 3)
    let arrows = try list.timeline().signals.arrows
    #expect(arrows.map(\.sent.seq) == [lost, second])
    #expect(arrows.map { $0.taken?.seq } == [nil, 5])
  }

  @Test func writesAreCountedByPageAndMode() throws {
    var list = EventList(vcpuCount: 1)
    list.online()
    let diff = PageDiff(runs: []).encoded
    list.add(.pageWrite, 0, gpa: 0x5000, a: 7, data: diff)
    list.add(.integrityEnter, 0)
    list.add(.pageWrite, 0, gpa: 0x5000, a: 2, data: diff)
    list.add(.guestWrite, 0, gpa: 0x6008, data: [0, 1])
    let trap = list.add(.writeTrap, 0, gpa: 0x7000, data: [1])
    list.add(.writeResult, 0, gpa: 0x7000, cause: trap, a: WriteOutcome.dropped.rawValue, data: [0, 0])
    list.add(.alert, 0, gpa: 0x7000, cause: trap, a: 1, b: 1)
    let timeline = try list.timeline()
    #expect(timeline.writes.shift == 0)
    #expect(timeline.writes.cells[5].map { [$0.writes, $0.elevated, $0.denied] } == [9, 2, 0])
    #expect(timeline.writes.cells[6].map { [$0.writes, $0.elevated, $0.denied] } == [1, 1, 0])
    #expect(timeline.writes.cells[7].map { [$0.writes, $0.elevated, $0.denied] } == [0, 0, 1])
    #expect(timeline.alerts.marks.map(\.gpa) == [0x7000])
  }

  @Test func afterAHoleAModeIsUnknownUntilAnEventTells() throws {
    var list = EventList(vcpuCount: 2)
    list.online()
    list.add(.guestEnter, 0)
    list.add(.guestExit, 0)
    list.add(.stopAck, 1, b: 4)
    list.add(.regionUnmap, 0, b: 4)
    var timeline = Timeline(vcpuCount: 2)
    timeline.consume(try list.batch(0..<2))
    timeline.noteHole(lostEvents: 1, firstSeq: 3, lastSeq: 3, damage: "flipped")
    timeline.consume(try list.batch(3..<6))
    timeline.finish()
    #expect(timeline.story(0) == "unknown@2" || timeline.story(0) == "normal@1 unknown@2")
    #expect(timeline.story(1) == "offline@1 unknown@2 stopped@5")
    #expect(timeline.region.story == "normal@1 unknown@2 normal@6")
    #expect(timeline.holes.map(\.point) == [LanePoint(seq: 4, time: 20)])
    #expect(timeline.holes.map(\.lost) == [1])
    #expect(timeline.holes.map(\.what) == ["flipped"])
  }

  @Test func eventsThatTheRecorderLostAreAHoleToo() throws {
    var list = EventList(vcpuCount: 1)
    list.online()
    list.add(.eventsLost, -1, a: 12, b: LossCause.recorderOverflow.rawValue)
    list.add(.integrityEnter, 0)
    let timeline = try list.timeline()
    #expect(timeline.holes.map(\.lost) == [12])
    #expect(timeline.story(0) == "normal@1 unknown@2 integrity@3")
  }

  @Test func theEndOfALongerRecordingStartsFromItsState() throws {
    var list = EventList(vcpuCount: 2)
    list.online()
    list.add(.vcpuHalt, 1)
    var state = MachineState(vcpuCount: 2)
    state.fold(try list.batch(0..<3))
    var tail = EventList(vcpuCount: 2)
    tail.add(.eventsLost, -1, a: 1, b: LossCause.flightRecorder.rawValue)
    tail.add(.vcpuUnhalt, 1)
    var timeline = Timeline(vcpuCount: 2, from: state)
    timeline.consume(try tail.batch(0..<2))
    timeline.finish()
    #expect(timeline.story(0) == "normal@1")
    #expect(timeline.story(1) == "halted@1 normal@2")
  }

  @Test func watchedEventsAreKeptWithTheirNeighbours() throws {
    var list = EventList(vcpuCount: 1)
    list.online()
    for _ in 0..<200 { list.add(.guestEnter, 0) }
    let timeline = try list.timeline(watching: EventWatch(centres: [100], others: [7, 100, 190]), size: 9)
    #expect(timeline.events.map(\.seq) == [7] + Array(84...108) + [190])
  }
}
