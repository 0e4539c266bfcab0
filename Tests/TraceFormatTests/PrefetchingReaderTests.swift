import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

/// What a reader gives, batch by batch: the events, and the damage known by then.
private struct Account: Equatable {
  var batches: [[Event]] = []
  var damage: [[DamageReport]] = []
  var isComplete = false

  init(plain path: String) throws {
    let reader = try TraceReader(path: path)
    let batch = EventBatch()
    while reader.nextBatch(into: batch) {
      batches.append(batch.events)
      damage.append(reader.damage)
    }
    damage.append(reader.damage)
    isComplete = reader.isComplete
  }

  init(prefetching path: String, isThreaded: Bool) throws {
    let reader = try TraceReader(path: path)
    let prefetcher = PrefetchingReader(reader, isThreaded: isThreaded)
    while let batch = prefetcher.nextBatch() {
      batches.append(batch.events)
      damage.append(prefetcher.damage)
    }
    damage.append(prefetcher.damage)
    isComplete = reader.isComplete
  }
}

struct PrefetchingReaderTests {
  private func trace() throws -> [UInt8] {
    var random = Seed(of: Seed.base(1), salt: 31)
    let header = TraceHeader(vcpuCount: 3)
    let file = TemporaryFile()
    try write(randomEvents(400, header, &random), header, to: file.path, blockSize: 20)
    return file.bytes
  }

  @Test(arguments: [false, true]) func damagedAndCutFilesAreReadAsByThePlainReader(isThreaded: Bool) throws {
    let bytes = try trace()
    let file = TemporaryFile()
    var random = Seed(of: Seed.base(1), salt: 32)
    var damaged = 0
    for round in 0..<150 {
      var bad = bytes
      for _ in 0..<round % 4 { bad[Int.random(in: 0..<bad.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random) }
      if round % 3 == 2 { bad.removeLast(Int.random(in: 0..<bad.count, using: &random)) }
      if round % 5 == 4 { bad.removeSubrange(bad.count / 3..<bad.count / 3 + Int.random(in: 1..<bad.count / 3, using: &random)) }
      file.bytes = bad
      guard let plain = try? Account(plain: file.path) else {
        #expect(throws: TraceFileError.self) { try TraceReader(path: file.path) }
        continue
      }
      if plain.damage.last != [] { damaged += 1 }
      #expect(try Account(prefetching: file.path, isThreaded: isThreaded) == plain, "round \(round)")
    }
    #expect(damaged > 50)
  }

  /// Whoever stops early leaves no thread behind, and a reader that reads on.
  @Test(arguments: [0, 1, 5]) func readingMayStopAnywhere(batches: Int) throws {
    let file = TemporaryFile()
    file.bytes = try trace()
    let reader = try TraceReader(path: file.path)
    let all = readAll(reader)
    reader.rewind()
    do {
      let prefetcher = PrefetchingReader(reader, isThreaded: true)
      var events: [Event] = []
      for _ in 0..<batches { events += try #require(prefetcher.nextBatch()).events }
      #expect(events == Array(all[..<(batches * 20)]))
    }
    #expect(readAll(reader) == all)
  }

  @Test func theEndIsTheEndHoweverOftenItIsAskedFor() throws {
    let file = TemporaryFile()
    file.bytes = try trace()
    let prefetcher = PrefetchingReader(try TraceReader(path: file.path), isThreaded: true)
    var count = 0
    while let batch = prefetcher.nextBatch() { count += batch.count }
    #expect(count == 400)
    #expect(prefetcher.nextBatch() == nil)
    #expect(prefetcher.nextBatch() == nil)
  }
}
