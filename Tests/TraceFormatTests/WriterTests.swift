import Glibc
import Synchronization
import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

struct WriterTests {
  @Test func eventsFromSeveralThreadsAllArriveInOrder() async throws {
    let file = TemporaryFile()
    var options = TraceWriter.Options()
    options.eventsPerBlock = 100
    let writer = try TraceWriter(path: file.path, header: TraceHeader(vcpuCount: 4), options: options)
    await withTaskGroup(of: Void.self) { group in
      for vcpu in 0..<4 as Range<UInt16> {
        group.addTask { for index in 1...5000 as ClosedRange<UInt64> { writer.append(Event(.guestEnter, vcpu: vcpu, rip: index)) } }
      }
    }
    try writer.finish()
    let events = readAll(try TraceReader(path: file.path))
    #expect(events.map(\.seq) == Array(1...20_000))
    #expect(zip(events, events.dropFirst()).allSatisfy { $0.time <= $1.time })
    for vcpu in 0..<4 as Range<UInt16> { #expect(events.filter { $0.vcpu == vcpu }.map(\.rip) == Array(1...5000)) }
  }

  @Test func anUnfinishedFileIsReadUpToItsLastBlock() throws {
    let file = TemporaryFile()
    let copy = TemporaryFile()
    let writer = try TraceWriter(path: file.path, header: TraceHeader(vcpuCount: 1))
    for index in 1...10 as ClosedRange<UInt64> { writer.append(Event(.guestEnter, vcpu: 0, rip: index)) }
    // The writer flushes by itself, without another append and without a full block.
    let before = writer.size
    while writer.size == before { usleep(1000) }
    copy.bytes = file.bytes
    let reader = try TraceReader(path: copy.path)
    #expect(readAll(reader).map(\.rip) == Array(1...10))
    #expect(reader.damage.map(\.what) == [.unfinished])
    #expect(!reader.isComplete)
    try writer.finish()
  }

  @Test func nothingIsOverwrittenUnlessForced() throws {
    let file = TemporaryFile()
    file.bytes = [1, 2, 3]
    let header = TraceHeader(vcpuCount: 1)
    let error = #expect(throws: TraceFileError.self) { try TraceWriter(path: file.path, header: header) }
    #expect(error?.code == .exists)
    #expect(file.bytes == [1, 2, 3])
    try write([Event(.sessionStart, vcpu: Event.host)], header, to: file.path)
    #expect(try TraceReader(path: file.path).eventCount == 1)
  }

  /// Writes random events, which hardly compress, under a cap.
  private func fill(_ file: TemporaryFile, upTo cap: UInt64, events: Int = 10_000, eventsPerBlock: Int = 100) throws -> TraceWriter {
    var options = TraceWriter.Options()
    options.eventsPerBlock = eventsPerBlock
    options.flushInterval = 0
    options.keyframeInterval = 300
    options.maxSize = cap
    let writer = try TraceWriter(path: file.path, header: TraceHeader(vcpuCount: 1), options: options)
    var random = Seed(of: Seed.base(1), salt: 41)
    for _ in 0..<events { writer.append(Event(.guestEnter, vcpu: 0, rip: random.next())) }
    let error = #expect(throws: TraceFileError.self) { try writer.finish() }
    #expect(error?.code == .sizeCap)
    return writer
  }

  @Test(arguments: [(20_000, 100), (20_001, 100), (33_333, 10), (40_000, 1), (30_000, 32_768)])
  func aSizeCapEndsTheFileInOrder(cap: Int, eventsPerBlock: Int) throws {
    let file = TemporaryFile()
    let writer = try fill(file, upTo: UInt64(cap), eventsPerBlock: eventsPerBlock)
    #expect(file.bytes.count <= cap)
    #expect(writer.size == UInt64(file.bytes.count))
    let reader = try TraceReader(path: file.path)
    let events = readAll(reader)
    #expect(reader.isComplete && reader.damage.isEmpty)
    #expect(events.map(\.seq) == Array(1...UInt64(events.count)))
    let dropped = try #require(writer.failure).dropped
    #expect(dropped > 0 && UInt64(events.count - 1) + dropped == 10_000)
    #expect(events.dropLast().allSatisfy { $0.kind == .guestEnter })
    let end = try #require(events.last)
    #expect(end.kind == .sessionEnd && end.a == EndReason.sizeCap.rawValue)
    #expect(String(decoding: end.data, as: UTF8.self).contains("\(cap) bytes is reached, later events not recorded: \(dropped)"))
  }

  /// From the smallest cap that is taken on: the reserve is enough wherever the cap falls in a block.
  @Test func aCapTooSmallIsRefusedBeforeTheFileIsTouched() throws {
    let file = TemporaryFile()
    file.bytes = [1, 2, 3]
    var options = TraceWriter.Options()
    options.force = true
    options.maxSize = 100
    let header = TraceHeader(vcpuCount: 1)
    let error = try #require(#expect(throws: TraceFileError.self) { try TraceWriter(path: file.path, header: header, options: options) })
    #expect(error.code == .sizeCap)
    #expect(file.bytes == [1, 2, 3])
    let least = try #require(error.detail.split(separator: " ").compactMap { UInt64($0) }.last)
    options.maxSize = least - 1
    #expect(throws: TraceFileError.self) { try TraceWriter(path: file.path, header: header, options: options) }
    for cap in [least, least + 1, least + 100, least + 150, least + 400] {
      let file = TemporaryFile()
      _ = try fill(file, upTo: cap, events: 500)
      let reader = try TraceReader(path: file.path)
      #expect(reader.isComplete && UInt64(file.bytes.count) <= cap, "cap \(cap)")
    }
  }

  @Test func aDeviceWithoutRoomIsAnError() {
    let error = #expect(throws: TraceFileError.self) {
      var options = TraceWriter.Options()
      options.force = true
      let writer = try TraceWriter(path: "/dev/full", header: TraceHeader(vcpuCount: 1), options: options)
      try writer.finish()
    }
    #expect(error?.isDiskFull == true)
  }

  @Test func seekingFindsEventsByNumberAndTime() throws {
    let file = TemporaryFile()
    let header = TraceHeader(vcpuCount: 1)
    let events = (1...1000 as ClosedRange<UInt64>).map { Event(.guestEnter, vcpu: 0, seq: $0, time: $0 * 10, rip: $0) }
    try write(events, header, to: file.path)
    let reader = try TraceReader(path: file.path)
    let batch = EventBatch()
    for seq in [1, 64, 65, 500, 1000] as [UInt64] {
      reader.seek(toSeq: seq)
      #expect(reader.nextBatch(into: batch) && batch.events.contains { $0.seq == seq })
      reader.seek(toTime: seq * 10 - 5)
      #expect(reader.nextBatch(into: batch) && batch.events.contains { $0.seq == seq })
    }
    reader.seek(toSeq: 1001)
    #expect(!reader.nextBatch(into: batch))
    #expect(reader.damage == [])
  }
}
