import Testing
import TraceEvents
import TraceFile
import TraceFormat

struct RoundTripTests {
  @Test(arguments: [1, 2, 63, 64, 65, 1000, 20_000]) func everyColumnComesBack(count: Int) throws {
    var random = SeededGenerator(UInt64(count))
    let header = TraceHeader(vcpuCount: 5)
    let events = randomEvents(count, header, &random)
    let batch = try EventBatch(encoding: events, header: header)
    #expect(batch.events == events)
  }

  @Test(arguments: [1, 64, 257, 1024]) func everyVCPUCountComesBack(vcpus: Int) throws {
    var random = SeededGenerator(UInt64(vcpus))
    let header = TraceHeader(vcpuCount: vcpus)
    let events = randomEvents(5000, header, &random)
    #expect(try EventBatch(encoding: events, header: header).events == events)
  }

  @Test func fileComesBack() throws {
    var random = SeededGenerator(7)
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
