import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

struct RoundTripTests {
  @Test(arguments: [1, 2, 63, 64, 65, 1000, 20_000]) func everyColumnComesBack(count: Int) throws {
    var random = Seed(of: Seed.base(1), salt: UInt64(count))
    let header = TraceHeader(vcpuCount: 5)
    let events = randomEvents(count, header, &random)
    let batch = try EventBatch(encoding: events, header: header)
    #expect(batch.events == events)
    let split = withRuns(events, &random)
    #expect(try EventBatch(encoding: split, header: header).events == split)
  }

  /// Data of page-writes that are almost runs: the block then stores all of them as they are.
  @Test(arguments: [[0], [0, 0, 0, 0], [0, 0, 1, 0, 7], [0, 0, 0, 0, 7, 8], [0, 0, 255, 255, 7]] as [[UInt8]])
  func dataOfPageWritesMayBeAnything(data: [UInt8]) throws {
    let good = Event(.pageWrite, vcpu: 0, seq: 1, gpa: 0x1234, a: 3, data: [255, 15, 0, 0, 9, 0, 0, 1, 0, 8, 7])
    let events = [good, Event(.pageWrite, vcpu: 0, seq: 2, gpa: 0x5000, a: 1, data: data)]
    #expect(try EventBatch(encoding: events, header: TraceHeader(vcpuCount: 1)).events == events)
  }

  /// The longest data there can be, as one piece and as runs.
  @Test func theLongestDataComeBack() throws {
    let long = [UInt8](repeating: 3, count: TraceLimits.dataPerEvent)
    let length = UInt16(long.count - 5)
    let run = [1, 0, UInt8(truncatingIfNeeded: length), UInt8(length >> 8)] + long.dropLast(4)
    let runs = (0..<TraceLimits.dataPerEvent / 5).flatMap { _ in [0, 0, 0, 0, 1] as [UInt8] }
    let events = [long, run, runs].enumerated().map { Event(.pageWrite, vcpu: 0, seq: UInt64($0.offset) + 1, data: $0.element) }
    for event in events {
      var event = event
      event.seq = 1
      #expect(try EventBatch(encoding: [event], header: TraceHeader(vcpuCount: 1)).events == [event])
    }
    #expect(try EventBatch(encoding: events, header: TraceHeader(vcpuCount: 1)).events == events)
  }

  @Test(arguments: [1, 64, 257, 1024]) func everyVCPUCountComesBack(vcpus: Int) throws {
    var random = Seed(of: Seed.base(1), salt: UInt64(vcpus))
    let header = TraceHeader(vcpuCount: vcpus)
    let events = randomEvents(5000, header, &random)
    #expect(try EventBatch(encoding: events, header: header).events == events)
  }

  @Test func fileComesBack() throws {
    var random = Seed(of: Seed.base(1), salt: 7)
    let file = TemporaryFile()
    var header = TraceHeader(
      vcpuCount: 4, memory: [.init(start: 0, length: 1 << 20), .init(start: 1 << 30, length: 4096)], region: .init(start: 0x7000_0000, length: 1 << 20),
      attribution: .firstWriter, startTime: 12345, properties: [.init("guest-name", "a"), .init("fault", "b"), .init("fault", "ç")])
    header.optionalFeatures = 5
    let events = randomEvents(3000, header, &random)
    try write(events, header, to: file.path, blockSize: 100)
    let reader = try TraceReader(path: file.path)
    #expect(reader.header == header)
    #expect(readAll(reader) == events)
    #expect(reader.damage == [])
    #expect(reader.hasIndex)
    #expect(reader.eventCount == 3000)
  }
}
