import Foundation
import Inspection
import Reports
import TestSeeds
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// `replay --at`: the machine at one event, from a file.
struct TimeTravelTests {
  static let traces = CorpusTests.folder.path + "/"

  /// The state right after an event, from the first event on and without a keyframe.
  private func fold(_ reader: TraceReader, through seq: UInt64) -> MachineState {
    var state = MachineState(vcpuCount: reader.header.vcpuCount)
    let batch = EventBatch()
    reader.rewind()
    while state.seq < seq, reader.nextBatch(into: batch), batch.firstSeq <= seq { state.fold(batch, through: seq) }
    return state
  }

  private func shown(_ path: String, _ seq: UInt64) throws -> String {
    let result = try Tool.run("replay", path, "--at", "\(seq)", "--format", "json")
    #expect(result.status == 0, "\(result.error)")
    return result.output
  }

  private func expected(_ reader: TraceReader, _ seq: UInt64) -> String {
    MachineSnapshot(at: seq, event: reader.event(seq), state: fold(reader, through: seq), missing: [], header: reader.header, limit: 1000)
      .json(limit: 1000).text + "\n"
  }

  @Test(arguments: [
    "format-1-clean-integrity-4", "clean-stop-storm-4", "format-1-fault-map-early", "fault-stop-map-early", "format-1-clean-stop-storm", "clean-hello",
  ])
  func storedTracesAreShownAsTheirEventsAddUp(name: String) throws {
    let path = Self.traces + name + ".tape"
    let reader = try TraceReader(path: path)
    let last = try #require(reader.numbers?.upperBound)
    var random = Seed(of: Seed.base(1), salt: 41)
    for seq in [1, last] + (0..<4).map({ _ in UInt64.random(in: 1...last, using: &random) }) {
      #expect(try shown(path, seq) == expected(reader, seq), "at event \(seq)")
    }
  }

  @Test func aLongTraceIsShownFromItsKeyframes() throws {
    let folder = try Folder()
    let path = folder.file("long.tape").path
    #expect(try Tool.run("generate", "--events", "1300000", "--vcpus", "3", "--seed", "\(Seed.base(1))", "-o", path).status == 0)
    let reader = try TraceReader(path: path)
    let keyframes = reader.blocks.filter { $0.prologue.type == BlockType.keyframe.rawValue }.map(\.prologue.firstSeq)
    #expect(keyframes.count >= 2)
    var random = Seed(of: Seed.base(1), salt: 42)
    for seq in [keyframes[0] - 1, keyframes[0], keyframes[1] + 1, UInt64.random(in: keyframes[1]...1_300_000, using: &random)] {
      let reading = reader.readState(at: seq)
      #expect(reading.missing.isEmpty && reading.keyframe == keyframes.last { $0 <= seq })
      #expect(reading.state == fold(reader, through: seq), "at event \(seq)")
    }
    #expect(try shown(path, keyframes[1]) == expected(reader, keyframes[1]))
  }

  @Test func whatIsNotThereIsAnError() throws {
    let path = Self.traces + "clean-hello.tape"
    let last = try #require(TraceReader(path: path).numbers?.upperBound)
    for arguments in [["--at", "0"], ["--at", "\(last + 1)"], ["--at", "18446744073709551615"], ["--at", "x"], ["--at", "1", "--rule", "stop/*"]] {
      let result = try Tool.run(["replay", path] + arguments)
      #expect(result.status == 2 && result.output.isEmpty && !result.error.isEmpty, "\(arguments): \(result.error)")
    }
    #expect(try Tool.run("replay", path, "--at", "\(last + 1)").error.contains("ends with \(last)"))
  }

  @Test func eventsThatAreMissingAreSaidToBe() throws {
    let path = Self.traces + "format-1-damaged-flipped.tape"
    // Events 10781 to 13414 are in a damaged block.
    #expect(try Tool.run("replay", path, "--at", "10780").status == 0)
    for (seq, end) in [(10_781, "10,781"), (11_000, "11,000"), (15_000, "13,414")] {
      let result = try Tool.run("replay", path, "--at", "\(seq)")
      #expect(result.status == 3)
      let what = end == "10,781" ? "lacks event 10781" : "lacks events 10,781 to \(end)"
      #expect(result.output.contains(what), "\(result.output.prefix(400))")
    }
    // A repaired copy has no damage, and still lacks them.
    let folder = try Folder()
    let copy = folder.file("copy.tape").path
    #expect(try Tool.run("repair", path, "-o", copy).status == 0)
    #expect(try Tool.run("replay", copy, "--at", "15000").status == 3)
    #expect(try Tool.run("replay", copy, "--at", "10000").status == 0)
  }

  @Test func aKeyframeOfARepairedCopyLacksWhatWasLost() throws {
    let folder = try Folder()
    let (path, copy) = (folder.file("long.tape").path, folder.file("copy.tape").path)
    #expect(try Tool.run("generate", "--events", "1300000", "--vcpus", "2", "-o", path).status == 0)
    let block = try #require(TraceReader(path: path).blocks.first { $0.prologue.firstSeq > 200_000 })
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try file.seek(toOffset: block.offset + 100)
    try file.write(contentsOf: [0xff, 0, 0xff])
    try file.close()
    let damaged = try TraceReader(path: path)
    let missing = block.prologue.firstSeq..<block.prologue.firstSeq + UInt64(block.prologue.count)
    // The keyframe of the recording knows what the damaged block held.
    #expect(damaged.readState(at: 1_200_000).missing == [] && damaged.readState(at: 300_000).missing == [missing])
    #expect(try Tool.run("repair", path, "-o", copy).status == 0)
    let reading = try TraceReader(path: copy).readState(at: 1_200_000)
    #expect(reading.missing == [missing] && reading.keyframe != nil)
  }

  @Test func theEndOfARecordingIsShownAsIfAllWereThere() throws {
    let folder = try Folder()
    let whole = folder.file("whole.tape").path
    let tail = folder.file("tail.tape").path
    #expect(try Tool.run("generate", "--events", "300000", "--vcpus", "2", "--seed", "5", "-o", whole).status == 0)
    let reader = try TraceReader(path: whole)
    var options = TraceWriter.Options()
    options.eventsPerBlock = 5000
    options.flushInterval = 0
    options.last = .bytes(400_000)
    let writer = try TraceWriter(path: tail, header: reader.header, options: options)
    let batch = EventBatch()
    while reader.nextBatch(into: batch) { for event in batch.events { writer.append(timed: event) } }
    try writer.finish()
    let numbers = try #require(TraceReader(path: tail).numbers)
    #expect(numbers.lowerBound > 1000)
    for seq in [numbers.lowerBound + 1, numbers.upperBound - 7] { #expect(try shown(tail, seq) == expected(reader, seq)) }
    let early = try Tool.run("replay", tail, "--at", "1000")
    #expect(early.status == 2 && early.error.contains("from event \(numbers.lowerBound + 1) on"))
  }

  @Test func damagedFilesAreLookedAtWithoutACrash() throws {
    let original = try Data(contentsOf: URL(fileURLWithPath: Self.traces + "format-1-clean-stop-storm.tape"))
    let folder = try Folder()
    let path = folder.file("x.tape").path
    var random = Seed(of: Seed.base(1), salt: 44)
    let bytes = try #require(GuestBytes(start: 0xfff000, length: 4096))
    var looked = 0
    for _ in 0..<60 {
      var data = original
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        data[Int.random(in: 0..<data.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
      }
      if Bool.random(using: &random) { data = data.prefix(Int.random(in: 1...data.count, using: &random)) }
      try data.write(to: URL(fileURLWithPath: path))
      guard let reader = try? TraceReader(path: path), let numbers = reader.numbers else { continue }
      for seq in [0, numbers.upperBound, .max, UInt64.random(in: numbers, using: &random)] {
        let reading = reader.readState(at: seq)
        let snapshot = MachineSnapshot(
          at: seq, event: reader.event(seq), state: reading.state, missing: reading.missing, header: reader.header, limit: 100)
        #expect(!snapshot.text(name: "x", limit: 100, style: .plain).isEmpty && !snapshot.json(limit: 100).text.isEmpty)
        // What is not missing is there: the state is that of a fold over the whole file.
        if reading.missing.isEmpty, seq <= numbers.upperBound { #expect(reading.state == fold(reader, through: seq)) }
        var history = WriteHistory(of: bytes, through: seq, limit: 10, executing: [])
        _ = reader.readBackwards(from: seq, into: EventBatch()) { batch, missing in
          history.add(batch, missing: missing)
          return true
        }
        history.finish(isTail: reader.beginsTail)
        #expect(!history.text(name: "x", attribution: .firstWriter, style: .plain).isEmpty)
        looked += 1
      }
    }
    #expect(looked > 100)
  }

  @Test func theListsAreBounded() throws {
    let path = Self.traces + "format-1-clean-integrity-4.tape"
    let text = try Tool.run("replay", path, "--at", "5000", "--limit", "2")
    #expect(text.status == 0 && text.output.contains("more ranges") && text.output.contains("and more: 2 entries"))
    #expect(text.output.contains("hypercall unanswered [4710]") && text.output.contains("stop signal [4998]"))
  }
}
