import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

/// A trace that was recorded by format version 1.
struct LegacyBlockTests {
  private static var path: String {
    let folders = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return (folders.dropLast(3) + ["traces", "format-1-clean-stop-storm.tape"]).joined(separator: "/")
  }

  /// The raw events blocks of the stored trace.
  private func blocks(_ reader: TraceReader) throws -> [[UInt8]] {
    let file = fileBytes(Self.path)
    let decompressor = BlockDecompressor()
    return try reader.blocks.filter { $0.prologue.type == BlockType.events.rawValue }.map { block in
      let frame = Array(file[Int(block.offset) + BlockPrologue.size..<Int(block.end)])
      return try unsafe frame.withUnsafeBytes { try unsafe Array(decompressor.decompress($0, block.prologue)) }
    }
  }

  @Test func aTraceOfVersionOneIsRead() throws {
    let reader = try TraceReader(path: Self.path)
    #expect(reader.header.major == 1)
    let events = readAll(reader)
    #expect(reader.damage == [] && reader.isComplete)
    #expect(events.map(\.seq) == Array(1...UInt64(events.count)))
    #expect(events.count > 10_000)
    // And what was read can be written anew.
    #expect(try EventBatch(encoding: events, header: reader.header).events == events)
  }

  @Test func repairKeepsItsBlocks() throws {
    let file = TemporaryFile()
    _ = try TraceReader.repair(from: Self.path, to: file.path)
    let reader = try TraceReader(path: file.path)
    #expect(reader.header.major == 1 && reader.damage == [])
    #expect(readAll(reader) == readAll(try TraceReader(path: Self.path)))
  }

  @Test func anyDamageToItsBlocksIsSurvived() throws {
    let reader = try TraceReader(path: Self.path)
    let table = KindTable(reader.header)
    let batch = EventBatch()
    var random = Seed(of: Seed.base(1), salt: 61)
    let good = try #require(try blocks(reader).min { $0.count < $1.count })
    for round in 0..<2000 {
      var bad = good
      for _ in 0..<round % 6 {
        let offset = Int.random(in: 0..<(Bool.random(using: &random) ? 160 : bad.count), using: &random)
        bad[offset] = UInt8.random(in: 0...255, using: &random)
      }
      unsafe bad.withUnsafeBytes { bytes in
        guard (try? unsafe batch.decode(bytes, table, vcpuCount: reader.header.vcpuCount)) != nil else { return }
        #expect(batch.events.allSatisfy { $0.cause < $0.seq })
      }
      if round % 6 == 0 { #expect(batch.count > 0) }
    }
  }
}
