import Foundation
import Glibc
import Synchronization
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// A disk that takes nothing until it is told to.
private final class HeldDisk: Sendable {
  private let held = Atomic<Bool>(false)
  private let asked = Atomic<Bool>(false)

  var seam: OutputSeam {
    var seam = OutputSeam()
    seam.willTake = { [self] _, _ in
      asked.store(true, ordering: .sequentiallyConsistent)
      while held.load(ordering: .sequentiallyConsistent) { usleep(200) }
      return 0
    }
    return seam
  }

  func hold() {
    asked.store(false, ordering: .sequentiallyConsistent)
    held.store(true, ordering: .sequentiallyConsistent)
  }

  func release() { held.store(false, ordering: .sequentiallyConsistent) }

  func waitUntilAsked() { while !asked.load(ordering: .sequentiallyConsistent) { usleep(200) } }
}

private final class Counter: Sendable {
  private let value = Atomic<UInt64>(0)
  var count: UInt64 {
    get { value.load(ordering: .sequentiallyConsistent) }
    set { value.store(newValue, ordering: .sequentiallyConsistent) }
  }
}

/// A disk slower than the events: they wait, or their loss is told to the last one.
struct SlowDiskTests {
  private static let perBlock = 100
  /// What the writer's four buffers hold.
  private static let room: UInt64 = 400

  private func writer(_ file: TemporaryFile, _ disk: HeldDisk, _ whenSlow: TraceWriter.SlowDisk) throws -> TraceWriter {
    var options = TraceWriter.Options()
    options.eventsPerBlock = Self.perBlock
    options.flushInterval = 0
    options.whenSlow = whenSlow
    options.seam = disk.seam
    return try TraceWriter(path: file.path, header: TraceHeader(vcpuCount: 1), options: options)
  }

  @Test func appendingWaitsForTheDisk() throws {
    let file = TemporaryFile()
    let disk = HeldDisk()
    let writer = try writer(file, disk, .wait)
    disk.hold()
    let (appended, wrong) = (Counter(), Counter())
    // A thread of its own: a task would wait for all the tests that wait for one of the few threads of tasks, and this one would keep another.
    Thread.detachNewThread {
      for index in 1...1000 as ClosedRange<UInt64> {
        if writer.append(Event(.guestEnter, vcpu: 0, rip: index)) != index { wrong.count += 1 }
        appended.count = index
      }
    }
    while appended.count < Self.room { usleep(200) }
    for _ in 0..<50 {
      usleep(200)
      #expect(appended.count == Self.room, "no buffer has room for another one")
    }
    disk.release()
    while appended.count < 1000 { usleep(200) }
    #expect(wrong.count == 0)
    try writer.finish()
    #expect(writer.lostEvents == 0)
    #expect(readAll(try TraceReader(path: file.path)).map(\.rip) == Array(1...1000))
  }

  @Test func whatTheDiskCannotTakeIsDroppedCountedAndTold() throws {
    let file = TemporaryFile()
    let disk = HeldDisk()
    let writer = try writer(file, disk, .drop)
    var dropped: [UInt64] = []
    var rip: UInt64 = 0
    var expected: [UInt64] = []
    // Three holes, the last one at the end.
    for _ in 0..<3 {
      disk.hold()
      var lost: UInt64 = 0
      var numbers: Set<UInt64> = []
      while lost < 250 {
        rip += 1
        let before = writer.lostEvents
        let seq = writer.append(Event(.guestEnter, vcpu: 0, rip: rip))
        if writer.lostEvents > before {
          lost += 1
          numbers.insert(seq)
        } else {
          expected.append(rip)
        }
      }
      // They share the number of the event that tells of them.
      #expect(numbers.count == 1)
      disk.waitUntilAsked()
      disk.release()
      // Until there is room again.
      while true {
        rip += 1
        let before = writer.lostEvents
        let seq = writer.append(Event(.guestEnter, vcpu: 0, rip: rip))
        if writer.lostEvents == before {
          expected.append(rip)
          #expect(seq == (numbers.first ?? 0) + 1)
          break
        }
        lost += 1
        usleep(200)
      }
      dropped.append(lost)
    }
    #expect(writer.append(Event(.sessionEnd, vcpu: Event.host)) > 0)
    try writer.finish()
    let reader = try TraceReader(path: file.path)
    let events = readAll(reader)
    #expect(reader.isComplete && reader.damage.isEmpty)
    #expect(events.map(\.seq) == Array(1...UInt64(events.count)))
    let losses = events.filter { $0.kind == .eventsLost }
    #expect(losses.map(\.a) == dropped)
    #expect(losses.allSatisfy { $0.b == LossCause.recorderOverflow.rawValue && $0.vcpu == Event.host })
    #expect(writer.lostEvents == dropped.reduce(0, +))
    #expect(events.filter { $0.kind == .guestEnter }.map(\.rip) == expected)
    #expect(events.last?.kind == .sessionEnd)
  }

  /// The hole is the last thing that happens: it is told all the same, and the session's end is never dropped.
  @Test(arguments: [true, false]) func aHoleAtTheEndIsTold(hasEnd: Bool) async throws {
    let file = TemporaryFile()
    let disk = HeldDisk()
    let writer = try writer(file, disk, .drop)
    disk.hold()
    for index in 1...1000 as ClosedRange<UInt64> { writer.append(Event(.guestEnter, vcpu: 0, rip: index)) }
    #expect(writer.lostEvents == 600)
    async let finished: Void = {
      if hasEnd { writer.append(Event(.sessionEnd, vcpu: Event.host)) }
      try writer.finish()
    }()
    disk.release()
    try await finished
    let events = readAll(try TraceReader(path: file.path))
    #expect(events.prefix(400).map(\.rip) == Array(1...400))
    #expect(events.dropFirst(400).map(\.kind) == (hasEnd ? [.eventsLost, .sessionEnd] : [.eventsLost]))
    #expect(events[400].a == 600)
  }
}
