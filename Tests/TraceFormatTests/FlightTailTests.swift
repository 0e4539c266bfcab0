import Glibc
import Synchronization
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// Recordings of which only the end is kept.
@Suite struct FlightTailTests {
  private static let count = 20_000

  private static func record(
    _ path: String, last: TraceWriter.Tail?, count: Int = count, perBlock: Int = 200, seam: OutputSeam = OutputSeam()
  ) throws -> TraceWriter {
    var options = TraceWriter.Options()
    options.eventsPerBlock = perBlock
    options.seam = seam
    options.flushInterval = 0
    options.last = last
    var random = SystemRandomNumberGenerator()
    let writer = try TraceWriter(path: path, header: TraceHeader(vcpuCount: 2), options: options)
    writer.append(timed: Event(.sessionStart, vcpu: Event.host, time: 0, a: 2))
    writer.append(timed: Event(.entryPointSet, vcpu: 0, time: 1, rip: 0x1234))
    for index in 2..<count - 1 {
      // Incompressible, so that sizes mean something.
      let data = (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
      writer.append(timed: Event(.console, vcpu: UInt16(index % 2), time: UInt64(index) * 1000, data: data))
    }
    writer.append(timed: Event(.sessionEnd, vcpu: Event.host, time: UInt64(count) * 1000))
    try writer.finish()
    return writer
  }

  private static func events(_ path: String) throws -> (events: [Event], reader: TraceReader) {
    let reader = try TraceReader(path: path)
    var events: [Event] = []
    let batch = EventBatch()
    while reader.nextBatch(into: batch) {
      batch.withCursor { cursor in while cursor.next() { events.append(cursor.event) } }
    }
    return (events, reader)
  }

  private static func expectTail(_ path: String, _ writer: TraceWriter) throws -> [Event] {
    let (events, reader) = try events(path)
    #expect(reader.damage.isEmpty && reader.isComplete && reader.lostEvents == 0)
    let first = try #require(events.first)
    #expect(first.kind == .eventsLost && first.b == LossCause.flightRecorder.rawValue && first.a == first.seq)
    #expect(first.a == writer.droppedEvents && first.a > 0)
    #expect(UInt64(events.count) == writer.eventCount)
    for (event, seq) in zip(events, first.seq...) { #expect(event.seq == seq) }
    #expect(events.last?.kind == .sessionEnd && events.last?.seq == UInt64(count))
    // What happened before is known as a state.
    #expect(reader.state(at: first.seq + 1).entryPoint == 0x1234)
    return events
  }

  @Test(arguments: [65_536, 100_000, 200_000] as [UInt64]) func aTailOfSomeSize(bytes: UInt64) throws {
    let file = TemporaryFile()
    let writer = try Self.record(file.path, last: .bytes(bytes))
    _ = try Self.expectTail(file.path, writer)
    #expect(writer.size <= bytes && writer.size > bytes * 3 / 4, "\(writer.size) of \(bytes)")
  }

  @Test(arguments: [1_000_000, 5_000_000] as [UInt64]) func aTailOfSomeTime(time: UInt64) throws {
    let file = TemporaryFile()
    let writer = try Self.record(file.path, last: .time(time))
    let events = try Self.expectTail(file.path, writer)
    let kept = events[events.count - 1].time - events[1].time
    #expect(kept >= time && kept <= time * 3 / 2 + 400_000, "\(kept)")
  }

  /// A recording with `pages` traced pages of incompressible contents, one of which is written now and then.
  private static func recordPages(_ path: String, pages: Int, last: TraceWriter.Tail, keyframeInterval: Int = 500_000) throws -> (TraceWriter, [Event]) {
    var options = TraceWriter.Options()
    options.eventsPerBlock = 200
    options.flushInterval = 0
    options.keyframeInterval = keyframeInterval
    options.last = last
    var random = SystemRandomNumberGenerator()
    func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
    var events = [
      Event(.sessionStart, vcpu: Event.host, a: 2), Event(.entryPointSet, vcpu: 0, rip: 0x1234),
      Event(.traceInstall, vcpu: Event.host, gpa: 0x10_0000, a: UInt64(pages)),
    ]
    for page in 0..<pages { events.append(Event(.pageContents, vcpu: Event.host, gpa: 0x10_0000 + UInt64(page) * 4096, data: noise(4096))) }
    while events.count < count - 1 {
      let gpa = 0x10_0000 + 8 * UInt64.random(in: 0..<UInt64(pages) * 512, using: &random)
      let isWrite = events.count % 50 == 0
      events.append(isWrite ? Event(.writeResult, vcpu: 0, gpa: gpa, data: noise(16)) : Event(.console, vcpu: 0, data: noise(16)))
    }
    events.append(Event(.sessionEnd, vcpu: Event.host))
    for index in events.indices { (events[index].seq, events[index].time) = (UInt64(index + 1), UInt64(index) * 1000) }
    let writer = try TraceWriter(path: path, header: TraceHeader(vcpuCount: 2), options: options)
    for event in events { writer.append(timed: event) }
    try writer.finish()
    return (writer, events)
  }

  private static func expectStates(_ reader: TraceReader, _ all: [Event], from first: UInt64) throws {
    let batch = try EventBatch(encoding: all, header: reader.header)
    for seq in [first, first + 1, (first + UInt64(all.count)) / 2, UInt64(all.count)] {
      var fold = MachineState(vcpuCount: 2)
      fold.fold(batch, through: seq)
      #expect(reader.state(at: seq) == fold, "at event \(seq)")
    }
  }

  /// What the protected pages held is in the file once, however little room it leaves.
  @Test(arguments: [.bytes(600_000), .time(1_000_000)] as [TraceWriter.Tail]) func whatPagesHeldIsKeptOnce(last: TraceWriter.Tail) throws {
    let file = TemporaryFile()
    let (writer, all) = try Self.recordPages(file.path, pages: 100, last: last)
    let events = try Self.expectTail(file.path, writer)
    let reader = try TraceReader(path: file.path)
    #expect(reader.blocks.count { $0.prologue.type == BlockType.keyframe.rawValue } == 1)
    #expect(writer.startSize > 400_000)
    switch last {
    case .bytes(let bytes): #expect(writer.size <= bytes && writer.size > bytes * 9 / 10, "\(writer.size) of \(bytes)")
    case .time(let time):
      let kept = events[events.count - 1].time - events[1].time
      #expect(kept >= time && kept <= time + 400_000 && writer.size < writer.startSize + 100_000, "\(kept), \(writer.size)")
    }
    try Self.expectStates(reader, all, from: events[0].seq)
  }

  @Test func pagesThatTakeMoreThanTheTailLeaveRoomForOneBlock() throws {
    let file = TemporaryFile()
    let (writer, all) = try Self.recordPages(file.path, pages: 100, last: .bytes(1 << 16))
    let events = try Self.expectTail(file.path, writer)
    #expect(events.count > 1 && events.count <= 201 && writer.startSize > 400_000)
    try Self.expectStates(TraceReader(path: file.path), all, from: events[0].seq)
  }

  /// As in any trace a state is near, where keyframes take a small part of the whole.
  @Test(arguments: [.bytes(300_000), .time(15_000_000)] as [TraceWriter.Tail]) func aLongTailHasKeyframesInBetween(last: TraceWriter.Tail) throws {
    let file = TemporaryFile()
    let (writer, all) = try Self.recordPages(file.path, pages: 1, last: last, keyframeInterval: 1000)
    let events = try Self.expectTail(file.path, writer)
    let reader = try TraceReader(path: file.path)
    #expect(reader.blocks.count { $0.prologue.type == BlockType.keyframe.rawValue } > 2)
    if case .bytes(let bytes) = last { #expect(writer.size <= bytes, "\(writer.size) of \(bytes)") }
    try Self.expectStates(reader, all, from: events[0].seq)
  }

  private static func disk(of size: UInt64, reserves: Bool) -> OutputSeam {
    var seam = OutputSeam()
    seam.reserves = reserves
    seam.willTake = { offset, count in offset + UInt64(count) > size ? ENOSPC : 0 }
    return seam
  }

  /// The end is what a flight recorder is for: a disk without room for all of it gets the newest part, and what is missing is counted.
  @Test(arguments: [true, false], [200, 20_000]) func aFullDiskCostsTheOldestPart(reserves: Bool, perBlock: Int) throws {
    for size in stride(from: 8000, to: 150_000, by: 31_777) as StrideTo<UInt64> {
      let file = TemporaryFile()
      let writer = try Self.record(file.path, last: .bytes(1 << 20), perBlock: perBlock, seam: Self.disk(of: size, reserves: reserves))
      _ = try Self.expectTail(file.path, writer)
      #expect(writer.tailCut?.isDiskFull == true)
      // One block of events takes 4 KiB, and the end of a file some more; of one large block the half that fits is taken, or its half.
      #expect(writer.size <= size && writer.size + (perBlock == 200 ? 7000 : size * 2 / 3) > size, "\(writer.size) of \(size)")
    }
  }

  /// With no room for a single event there is an end that counts them all.
  @Test func aDiskWithoutRoomForATailSaysWhatIsMissing() throws {
    let file = TemporaryFile()
    let calls = Mutex(0)
    var seam = OutputSeam()
    // The header is written. After it nothing can be set aside; what little the header left takes an end.
    seam.willTake = { _, bytes in
      calls.withLock { calls in
        calls += 1
        return calls > 2 && bytes > 1000 ? ENOSPC : 0
      }
    }
    #expect { try Self.record(file.path, last: .bytes(1 << 20), seam: seam) } throws: { ($0 as? TraceFileError)?.isDiskFull == true }
    let (events, reader) = try Self.events(file.path)
    #expect(reader.isComplete && reader.damage.isEmpty && events.count == 1)
    #expect(events.last?.a == EndReason.diskFull.rawValue)
    let detail = String(decoding: events.last?.data ?? [], as: UTF8.self)
    #expect(detail.hasSuffix("later events not recorded: \(Self.count - 1)"), "\(detail)")
  }

  @Test func aShortRecordingIsKeptWhole() throws {
    let file = TemporaryFile()
    let writer = try Self.record(file.path, last: .bytes(1 << 20), count: 500)
    let (events, reader) = try Self.events(file.path)
    #expect(writer.droppedEvents == 0 && events.count == 500 && events[0].kind == .sessionStart)
    #expect(reader.damage.isEmpty && reader.isComplete)
  }

  @Test func aRepairedTailIsTheSame() throws {
    let file = TemporaryFile()
    let copy = TemporaryFile()
    let writer = try Self.record(file.path, last: .bytes(65_536))
    let before = try Self.expectTail(file.path, writer)
    let summary = try TraceReader.repair(from: file.path, to: copy.path, force: true)
    #expect(summary.lost == 0 && summary.damage.isEmpty)
    let after = try Self.expectTail(copy.path, writer)
    #expect(before == after)
  }

  /// Only a first event that says so makes a trace the end of a longer one.
  @Test func aGapIsStillAGap() throws {
    let file = TemporaryFile()
    let writer = try TraceWriter(path: file.path, header: TraceHeader(vcpuCount: 1))
    writer.append(timed: Event(.eventsLost, vcpu: Event.host, time: 0, a: 7, b: LossCause.flightRecorder.rawValue))
    try writer.finish()
    #expect(try !Self.events(file.path).reader.isComplete)
    let batch = EventBatch()
    let reader = try TraceReader(path: file.path)
    _ = reader.nextBatch(into: batch)
    #expect(!batch.beginsTail)
  }

  @Test func aTailMustHaveSomeSize() {
    #expect { try TraceWriter(path: temporaryName(), header: TraceHeader(vcpuCount: 1), options: Self.tiny) } throws: {
      ($0 as? TraceFileError)?.code == .sizeCap
    }
  }

  private static var tiny: TraceWriter.Options {
    var options = TraceWriter.Options()
    options.last = .bytes(1000)
    return options
  }

  private func temporaryName() -> String { "/tmp/pagetape-tail-\(getpid())-\(UInt64.random(in: 0 ... .max)).tape" }
}
