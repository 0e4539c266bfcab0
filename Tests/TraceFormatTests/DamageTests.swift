import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

/// A small finished trace: header, events, keyframes, index and seek table.
private func smallTrace(_ count: Int = 48, blockSize: Int = 12) throws -> (bytes: [UInt8], events: [Event], header: TraceHeader) {
  var random = Seed(of: Seed.base(1), salt: 11)
  var header = TraceHeader(vcpuCount: 2, properties: [.init("guest-name", "small")])
  header.kinds.removeAll { $0.number == EventKind.sessionEnd.rawValue || $0.columns.contains(.data) && $0.number != EventKind.console.rawValue }
  let middle = randomEvents(count - 1, header, &random).map { event in
    var event = event
    if event.data.count > 8 { event.data.removeLast(event.data.count - 8) }
    return event
  }
  header = TraceHeader(vcpuCount: 2, properties: header.properties)
  let events = middle + [Event(.sessionEnd, vcpu: Event.host, seq: UInt64(count), time: middle.last!.time)]
  let file = TemporaryFile()
  var options = TraceWriter.Options()
  options.eventsPerBlock = blockSize
  options.flushInterval = 0
  options.keyframeInterval = blockSize * 2
  let writer = try TraceWriter(path: file.path, header: header, options: options)
  for event in events { writer.append(timed: event) }
  try writer.finish()
  return (file.bytes, events, header)
}

struct DamageTests {
  @Test func everyFlippedByteIsReportedWithItsPlaceAndTheRestIsRead() throws {
    let (bytes, events, _) = try smallTrace()
    let file = TemporaryFile()
    for offset in bytes.indices {
      // All bits, and one that moves with the place.
      for pattern: UInt8 in [0xFF, 1 << UInt8(offset % 8)] {
        var damaged = bytes
        damaged[offset] ^= pattern
        file.bytes = damaged
        let reader = try TraceReader(path: file.path)
        let read = readAll(reader)
        let place = reader.damage.contains { UInt64(offset) >= $0.offset && UInt64(offset) < $0.offset + max($0.length, 1) }
        #expect(place, "byte \(offset) ^ \(pattern): \(reader.damage)")
        #expect(read.allSatisfy { $0 == events[Int($0.seq) - 1] }, "byte \(offset): an event that was never written")
        #expect(read.count >= events.count - 12, "byte \(offset): \(read.count) events")
        #expect(reader.lostEvents == UInt64(events.count - read.count), "byte \(offset): \(reader.damage)")
      }
    }
  }

  @Test func everyTruncationReadsUpToItsLastWholeBlock() throws {
    let (bytes, events, _) = try smallTrace()
    let file = TemporaryFile()
    file.bytes = bytes
    let whole = try TraceReader(path: file.path)
    #expect(whole.isComplete)
    let headerEnd = Int(whole.blocks[0].end)
    for length in 0..<bytes.count {
      file.bytes = Array(bytes[..<length])
      guard length >= headerEnd else {
        #expect(throws: TraceFileError.self) { try TraceReader(path: file.path) }
        continue
      }
      let reader = try TraceReader(path: file.path)
      let read = readAll(reader)
      let expected = whole.blocks.filter { $0.end <= UInt64(length) && $0.prologue.type == BlockType.events.rawValue }.reduce(0) { $0 + Int($1.prologue.count) }
      #expect(read == Array(events[..<expected]), "cut at \(length)")
      #expect(!reader.damage.isEmpty, "cut at \(length)")
    }
  }

  @Test func aMissingBlockShowsAsAGap() throws {
    let (bytes, events, _) = try smallTrace()
    let file = TemporaryFile()
    file.bytes = bytes
    let block = try TraceReader(path: file.path).blocks.filter { $0.prologue.type == BlockType.events.rawValue }[1]
    file.bytes = Array(bytes[..<Int(block.offset)] + bytes[Int(block.end)...])
    let reader = try TraceReader(path: file.path)
    #expect(readAll(reader).map(\.seq) == events.map(\.seq).filter { !(13...24).contains($0) })
    #expect(reader.damage.compactMap(\.missing) == [13..<25])
    #expect(reader.lostEvents == 12)
  }

  @Test func repairKeepsWhatIsGood() throws {
    let (bytes, events, header) = try smallTrace()
    let file = TemporaryFile()
    file.bytes = bytes
    let block = try TraceReader(path: file.path).blocks.filter { $0.prologue.type == BlockType.events.rawValue }[2]
    var damaged = bytes
    damaged[Int(block.offset) + 80] ^= 4
    damaged.removeLast(30)
    file.bytes = damaged
    let target = TemporaryFile()
    let summary = try TraceReader.repair(from: file.path, to: target.path)
    #expect(summary.events == UInt64(events.count - 12))
    #expect(summary.lost == 12)
    let reader = try TraceReader(path: target.path)
    #expect(reader.header == header)
    #expect(readAll(reader).map(\.seq) == events.map(\.seq).filter { !(25...36).contains($0) })
    #expect(reader.damage.map(\.what) == [.gap])
    #expect(reader.isComplete)
    #expect(throws: TraceFileError.self) { try TraceReader.repair(from: target.path, to: target.path, force: true) }
  }

  @Test func randomDamageNeverCrashes() throws {
    let (bytes, _, _) = try smallTrace(200, blockSize: 40)
    let file = TemporaryFile()
    var random = Seed(of: Seed.base(1), salt: 12)
    for _ in 0..<300 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let start = Int.random(in: 0..<damaged.count, using: &random)
        let end = min(damaged.count, start + Int.random(in: 1...200, using: &random))
        switch Int.random(in: 0..<4, using: &random) {
        case 0: damaged.removeSubrange(start..<end)
        case 1: damaged.insert(contentsOf: damaged[start..<end], at: start)
        case 2: for index in start..<end { damaged[index] = 0 }
        default: damaged.insert(contentsOf: (0..<(end - start)).map { _ in UInt8.random(in: 0...255, using: &random) }, at: start)
        }
        if damaged.isEmpty { break }
      }
      file.bytes = damaged
      guard let reader = try? TraceReader(path: file.path) else { continue }
      let seqs = readAll(reader).map(\.seq)
      #expect(zip(seqs, seqs.dropFirst()).allSatisfy { $0 < $1 })
      if damaged != bytes { #expect(!reader.damage.isEmpty) }
    }
  }
}
