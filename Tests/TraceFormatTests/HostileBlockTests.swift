import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

/// Blocks whose checksums are right and whose contents are not: nothing but the decoder stands between them and memory.
struct HostileBlockTests {
  private func block(_ count: Int, _ header: TraceHeader, asRuns: Bool = false) -> [UInt8] {
    var random = Seed(of: Seed.base(1), salt: 21)
    let rows = EventRows(capacity: 1000, dataCapacity: TraceLimits.dataPerBlock)
    let events = randomEvents(count, header, &random)
    for event in asRuns ? withRuns(events, &random) : events where event.data.count < 100 { rows.append(event) }
    // One page-write that is no runs, and all are stored as they are.
    if !asRuns { rows.append(Event(.pageWrite, vcpu: 0, time: events.last?.time ?? 0, gpa: 4096, a: 1, data: [1, 2, 3])) }
    return EventEncoder(KindTable(header)).encode(rows)
  }

  /// Decodes and touches everything; true where the block was taken.
  private func survives(_ block: [UInt8], _ header: TraceHeader, _ batch: EventBatch) -> Bool {
    let table = KindTable(header)
    return unsafe block.withUnsafeBytes { bytes in
      guard (try? unsafe batch.decode(bytes, table, vcpuCount: header.vcpuCount)) != nil else { return false }
      for event in batch.events {
        #expect(event.cause < event.seq)
        #expect(event.vcpu == Event.host || Int(event.vcpu) < header.vcpuCount)
      }
      return true
    }
  }

  @Test(arguments: [false, true]) func everyByteOfARawBlockMayHoldAnything(asRuns: Bool) {
    var header = TraceHeader(vcpuCount: 3)
    if asRuns { header.kinds.removeAll { $0.number != EventKind.pageWrite.rawValue && $0.number != EventKind.stopAck.rawValue } }
    let good = block(asRuns ? 12 : 30, header, asRuns: asRuns)
    #expect(good[14] == (asRuns ? 1 : 0))
    let batch = EventBatch()
    #expect(survives(good, header, batch))
    for offset in good.indices {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF, good[offset] &+ 1] {
        var bad = good
        bad[offset] = value
        _ = survives(bad, header, batch)
      }
    }
    for length in 0..<good.count { #expect(!survives(Array(good[..<length]), header, batch)) }
  }

  @Test(arguments: [false, true]) func randomRawBlocksAreSurvived(asRuns: Bool) {
    let header = TraceHeader(vcpuCount: 3)
    let good = block(200, header, asRuns: asRuns)
    let batch = EventBatch()
    var random = Seed(of: Seed.base(1), salt: 22)
    for _ in 0..<2000 {
      var bad = good
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let offset = Int.random(in: 0..<(Bool.random(using: &random) ? 160 : bad.count), using: &random)
        bad[offset] = UInt8.random(in: 0...255, using: &random)
      }
      _ = survives(bad, header, batch)
    }
  }

  /// Five bytes say that one page-write has the most runs there can be, with nothing behind them: refused before memory is taken for them.
  @Test func runsThatTheBlockCannotHoldAreRefused() {
    var header = TraceHeader(vcpuCount: 1)
    header.kinds.removeAll { $0.number != EventKind.pageWrite.rawValue }
    let rows = EventRows(capacity: 1, dataCapacity: TraceLimits.dataPerBlock)
    rows.append(Event(.pageWrite, vcpu: 0, data: [1, 0, 0, 0, 9]))
    let good = EventEncoder(KindTable(header)).encode(rows)
    #expect(survives(good, header, EventBatch()))
    // The end of the block: width 1, one run; width 1, gap 1; width 0, length less one; the byte.
    #expect(good.suffix(6) == [1, 1, 1, 1, 0, 9])
    for runs in [[1, 2], [1, 255], [2, 0, 50], [8, 255, 255, 255, 255, 255, 255, 255, 255]] as [[UInt8]] {
      for tail in [[1, 1, 0, 9], [0, 0, 9], [0, 0]] as [[UInt8]] {
        var bad = Array(good[..<(good.count - 6)]) + runs + tail
        bad[4] = UInt8(bad.count)
        #expect(!survives(bad, header, EventBatch()))
      }
    }
  }

  @Test func kindsThatTheReaderDoesNotKnowAreYieldedAndCounted() throws {
    var header = TraceHeader(vcpuCount: 2)
    header.kinds.append(.init(number: 200, name: "newer", columns: [.gpa, .b, .data]))
    header.kinds.append(.init(number: 201, name: "newest", columns: []))
    var random = Seed(of: Seed.base(1), salt: 23)
    let events = randomEvents(2000, header, &random)
    let file = TemporaryFile()
    try write(events, header, to: file.path)
    let reader = try TraceReader(path: file.path)
    let batch = EventBatch()
    var unknown = 0
    while reader.nextBatch(into: batch) { unknown += batch.unknownCount }
    #expect(unknown == events.count { $0.kind.rawValue >= 200 })
    #expect(unknown > 0)
    #expect(readAll(reader) == events)
  }

  @Test func aKindThatTheHeaderDoesNotListIsRefused() {
    let wide = TraceHeader(vcpuCount: 2)
    var narrow = wide
    narrow.kinds.removeAll { $0.number == EventKind.pageWrite.rawValue }
    #expect(!survives(block(500, wide), narrow, EventBatch()))
    #expect(!survives(block(500, wide), TraceHeader(vcpuCount: 1), EventBatch()))
  }

  @Test func aBombIsRefused() throws {
    let file = TemporaryFile()
    let header = TraceHeader(vcpuCount: 1)
    let compressor = BlockCompressor()
    let start = compressor.compress(header.encoded, BlockPrologue(type: 1)).bytes
    let zeros = [UInt8](repeating: 0, count: TraceLimits.rawBlockSize)
    let bomb = compressor.compress(zeros, BlockPrologue(type: 2, count: 1, firstSeq: 1)).bytes
    #expect(bomb.count < 4096)
    file.bytes = start + bomb
    let reader = try TraceReader(path: file.path)
    #expect(readAll(reader) == [])
    #expect(reader.damage.contains { $0.what == .block && $0.offset == UInt64(start.count) })
    // A prologue that promises more than any block may hold is no prologue.
    var greedy = BlockPrologue(type: 2, compressedSize: 100, rawSize: UInt32(TraceLimits.rawBlockSize) + 1, count: 1, firstSeq: 1)
    #expect(throws: TraceFormatError.self) { try unsafe greedy.encoded.withUnsafeBytes { try unsafe BlockPrologue(decoding: $0) } }
    greedy.rawSize = 100
    greedy.count = UInt32(TraceLimits.eventsPerBlock) + 1
    #expect(throws: TraceFormatError.self) { try unsafe greedy.encoded.withUnsafeBytes { try unsafe BlockPrologue(decoding: $0) } }
  }

  @Test func otherVersionsAreReadOrRefusedClearly() throws {
    var header = TraceHeader(vcpuCount: 1)
    header.minor = 99
    #expect(try TraceHeader(decoding: header.encoded + [1, 2, 3]) == header)
    header.major = 3
    let file = TemporaryFile()
    try write([Event(.sessionStart, vcpu: Event.host)], header, to: file.path)
    let newer = #expect(throws: TraceFileError.self) { try TraceReader(path: file.path) }
    #expect(newer?.code == .unsupported)
    header.major = 0
    #expect(throws: TraceFormatError.self) { try TraceHeader(decoding: header.encoded) }
    header.major = 1
    #expect(try TraceHeader(decoding: header.encoded) == header)
    header.requiredFeatures = 1
    #expect(throws: TraceFormatError.self) { try TraceHeader(decoding: header.encoded) }
  }

  @Test func checksumIsTheStandardOne() {
    let text = Array("123456789".utf8)
    #expect(CRC32C.checksum(text) == 0xE306_9283)
    #expect(unsafe text.withUnsafeBytes { unsafe CRC32C.checksum($0) } == 0xE306_9283)
  }
}
