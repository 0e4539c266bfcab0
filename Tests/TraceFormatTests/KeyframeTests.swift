import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

struct KeyframeTests {
  /// Random events with small operands, so that installs, removals, contents and writes meet.
  private func events(_ count: Int, _ header: TraceHeader) -> [Event] {
    var random = Seed(of: Seed.base(1), salt: 31)
    return randomEvents(count, header, &random).map { event in
      var event = event
      event.gpa = event.gpa == 0 ? 0 : 4096 * (event.gpa % 40)
      event.a %= 6
      event.b %= 3
      if event.kind == .pageContents { event.data = [UInt8](repeating: UInt8(event.seq % 251), count: 4096) }
      return event
    }
  }

  /// A file with a keyframe every few blocks.
  private func written(_ events: [Event], _ header: TraceHeader) throws -> TemporaryFile {
    let file = TemporaryFile()
    var options = TraceWriter.Options()
    options.eventsPerBlock = 50
    options.flushInterval = 0
    options.keyframeInterval = 100
    let writer = try TraceWriter(path: file.path, header: header, options: options)
    for event in events { writer.append(timed: event) }
    try writer.finish()
    return file
  }

  @Test func theStateAtEveryEventIsTheFoldFromTheStart() throws {
    let header = TraceHeader(vcpuCount: 4)
    let events = events(1500, header)
    let file = try written(events, header)
    let reader = try TraceReader(path: file.path)
    #expect(reader.blocks.count { $0.prologue.type == BlockType.keyframe.rawValue } >= 3)
    var fold = MachineState(vcpuCount: 4)
    var (moved, called) = (0, 0)
    let batch = try EventBatch(encoding: events, header: header)
    for seq in 1...UInt64(events.count) {
      if seq % 7 == 0 || seq % 50 < 2 {
        fold = MachineState(vcpuCount: 4)
        fold.fold(batch, through: seq)
        #expect(reader.state(at: seq) == fold, "at event \(seq)")
        moved += fold.vcpus.count { $0.place != .normal }
        called += fold.vcpus.count { $0.pendingHypercall != 0 }
      }
    }
    #expect(!fold.contents.isEmpty && !fold.tracedPages.isEmpty)
    #expect(moved > 0 && called > 0)
    #expect(reader.damage == [])
  }

  @Test func tracedPagesAreASet() {
    let header = TraceHeader(vcpuCount: 1)
    var random = Seed(of: Seed.base(1), salt: 32)
    var pages = Set<UInt64>()
    var events: [Event] = []
    for _ in 0..<400 {
      let (start, count) = (UInt64.random(in: 0..<60, using: &random), UInt64.random(in: 0...9, using: &random))
      let install = Bool.random(using: &random)
      events.append(Event(install ? .traceInstall : .traceRemove, vcpu: 0, gpa: start * 4096, a: count))
      if install { pages.formUnion(start..<start + count) } else { pages.subtract(start..<start + count) }
      var state = MachineState(vcpuCount: 1)
      if let batch = try? EventBatch(encoding: events, header: header) { state.fold(batch) }
      #expect(Set(state.tracedPages.flatMap { Array($0) }) == pages)
      #expect(zip(state.tracedPages, state.tracedPages.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
    }
  }

  @Test func aDamagedKeyframeIsPassedOver() throws {
    let header = TraceHeader(vcpuCount: 4)
    let events = events(1000, header)
    let file = try written(events, header)
    let last = try #require(try TraceReader(path: file.path).blocks.last { $0.prologue.type == BlockType.keyframe.rawValue })
    var bytes = file.bytes
    bytes[Int(last.offset) + 90] ^= 1
    file.bytes = bytes
    var fold = MachineState(vcpuCount: 4)
    fold.fold(try EventBatch(encoding: events, header: header))
    #expect(try TraceReader(path: file.path).state(at: 1000) == fold)
  }

  @Test func theDigestDoesNotDependOnBlocksOrTimes() throws {
    let header = TraceHeader(vcpuCount: 4)
    var events = events(700, header)
    func digest(_ events: [Event], _ size: Int) throws -> String {
      let file = TemporaryFile()
      try write(events, header, to: file.path, blockSize: size)
      let reader = try TraceReader(path: file.path)
      let batch = EventBatch()
      var digest = EventDigest()
      while reader.nextBatch(into: batch) { digest.combine(batch) }
      return digest.text
    }
    let first = try digest(events, 64)
    #expect(first.utf8.count == 32)
    #expect(try digest(events, 111) == first)
    for index in events.indices { events[index].time += UInt64(index) }
    #expect(try digest(events, 64) == first)
    events.swapAt(300, 301)
    #expect(try digest(events, 64) != first)
  }
}
