import Testing
import TestSeeds
import TraceEvents
import TraceFormat

/// What stays in the block until it is asked for comes out right in whatever order it is asked for.
struct CursorTests {
  private func batch(_ count: Int, writes: Int, _ random: inout Seed) throws -> (events: [Event], batch: EventBatch) {
    let header = TraceHeader(vcpuCount: 4)
    var events = withRuns(randomEvents(count, header, &random), &random)
    for index in events.indices where Int.random(in: 0..<100, using: &random) < writes {
      events[index] = Event(
        .pageWrite, vcpu: index % 40 < 25 ? 1 : events[index].vcpu, seq: events[index].seq, time: events[index].time,
        gpa: UInt64.random(in: 0..<1 << 30, using: &random), a: UInt64.random(in: 0...300, using: &random), data: [1, 0, 0, 0, UInt8(index & 255)])
    }
    return (events, try EventBatch(encoding: events, header: header))
  }

  @Test func operandsAreRightInAnyOrder() throws {
    var random = Seed(of: Seed.base(1), salt: 41)
    for round in 0..<20 {
      let (events, batch) = try batch(300, writes: 30, &random)
      batch.withCursor { cursor in
        while cursor.next() {
          let event = events[Int(cursor.seq) - 1]
          switch Int.random(in: 0..<(round % 2 == 0 ? 8 : 60), using: &random) {
          case 0: #expect(cursor.time == event.time)
          case 1: #expect(cursor.dataBytes == event.data)
          case 2: #expect(cursor.dataCount == event.data.count)
          case 3: #expect(cursor.a == event.a)
          case 4: #expect((cursor.b, cursor.c, cursor.d) == (event.b, event.c, event.d))
          case 5: #expect(cursor.cause == event.cause)
          case 6: #expect((cursor.gpa, cursor.rip) == (event.gpa, event.rip))
          default: #expect(cursor.kind == event.kind && cursor.vcpu == event.vcpu)
          }
        }
      }
      #expect(batch.events == events)
    }
  }

  @Test(arguments: [20, 97]) func streaksAreTheEventsOneByOne(writes: Int) throws {
    var random = Seed(of: Seed.base(1), salt: 42)
    var longest = 0
    for _ in 0..<20 {
      let (events, batch) = try batch(500, writes: writes, &random)
      var seen: [Event] = []
      batch.withCursor { cursor in
        while cursor.next() {
          guard cursor.kind == .pageWrite else {
            seen.append(cursor.event)
            continue
          }
          var passed = 0
          let (first, vcpu) = (cursor.seq, cursor.vcpu)
          let isPassed = cursor.passStreak { gpa, seq in
            guard Int.random(in: 0..<12, using: &random) > 0 else { return false }
            let event = events[Int(seq) - 1]
            #expect(seq == first + UInt64(passed) && gpa == event.gpa && vcpu == event.vcpu && event.kind == .pageWrite)
            seen.append(event)
            passed += 1
            return true
          }
          longest = max(longest, passed)
          if !isPassed { seen.append(cursor.event) }
          #expect(cursor.seq == UInt64(seen.count))
        }
      }
      #expect(seen == events)
    }
    #expect(longest > (writes == 97 ? 12 : 1))
  }

  @Test func theTimeOfOneEventIsItsTime() throws {
    var random = Seed(of: Seed.base(1), salt: 43)
    for _ in 0..<20 {
      let (events, batch) = try batch(Int.random(in: 1...600, using: &random), writes: 50, &random)
      for _ in 0..<8 {
        let event = events.randomElement(using: &random)!
        #expect(batch.time(of: event.seq) == event.time)
      }
      // All times loaded, and not.
      if Bool.random(using: &random) { #expect(batch.events == events) }
      #expect(batch.time(of: events[events.count - 1].seq) == events[events.count - 1].time)
      #expect(batch.timeRange == events[0].time...events[events.count - 1].time)
    }
  }
}
