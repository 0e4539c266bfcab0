import Analyzer
import Foundation
import Synthesizer
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// Traces judged a batch at a time, as `replay` does, and event by event: the verdicts are the same.
struct BatchReplayTests {
  private func analyzer(_ header: TraceHeader) -> Analyzer {
    Analyzer(
      Analyzer.Subject(
        vcpuCount: header.vcpuCount, memory: header.memory, region: header.region, attribution: header.attribution, writes: header.writes))
  }

  @Test(arguments: CorpusTests.names)
  func storedTraces(name: String) throws {
    let reader = try TraceReader(path: CorpusTests.folder.appendingPathComponent(name).path)
    var whole = analyzer(reader.header)
    var single = analyzer(reader.header)
    let batch = EventBatch()
    while reader.nextBatch(into: batch) {
      whole.consume(batch)
      for event in batch.events { single.consume(event) }
    }
    let verdict = whole.finish(isComplete: reader.isComplete)
    #expect(verdict.events > 0)
    let expected = "\(single.finish(isComplete: reader.isComplete))"
    #expect("\(verdict)" == expected)
  }

  private struct Events: EventSink {
    var events: [Event] = []

    mutating func append(_ event: borrowing Event) throws -> UInt64 {
      var event = copy event
      event.seq = UInt64(events.count) + 1
      events.append(event)
      return event.seq
    }
  }

  @Test(arguments: [1, 8, 64])
  func syntheticTraces(vcpus: Int) throws {
    let events = try Synthesizer(into: Events(), vcpuCount: vcpus, seed: 7).write(30_000).sink.events
    let header = TraceHeader(
      vcpuCount: vcpus, memory: [Synthesizer<Events>.memory], region: Synthesizer<Events>.region, attribution: .everyWrite)
    // As it is, and with an event of each kind left out somewhere: then there is something to tell.
    for missing in [nil, .stopAck, .regionUnmap, .alert, .traceInstall, .writeResult] as [EventKind?] {
      var kept = events
      if let missing, let index = kept.lastIndex(where: { $0.kind == missing }) {
        let gone = kept.remove(at: index).seq
        for later in index..<kept.count {
          kept[later].seq -= 1
          if kept[later].cause >= gone { kept[later].cause = kept[later].cause == gone ? 0 : kept[later].cause - 1 }
        }
      }
      var whole = analyzer(header)
      var single = analyzer(header)
      for start in stride(from: 0, to: kept.count, by: 4096) {
        whole.consume(try EventBatch(encoding: Array(kept[start..<min(start + 4096, kept.count)]), header: header))
      }
      for event in kept { single.consume(event) }
      let verdict = whole.finish()
      #expect(missing != nil || verdict.outcome == .clean)
      let expected = "\(single.finish())"
      #expect("\(verdict)" == expected, "without \(missing.map { "\($0)" } ?? "nothing")")
    }
  }
}
