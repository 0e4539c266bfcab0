import Analyzer
import TraceFile
import TraceFormat

/// From a file to a verdict.
enum Replay {
  /// Reads the whole trace and judges it.
  static func verdict(of reader: TraceReader) -> Verdict {
    let header = reader.header
    var analyzer = Analyzer(
      Analyzer.Subject(
        vcpuCount: header.vcpuCount, memory: header.memory, region: header.region, attribution: header.attribution, writes: header.writes))
    let prefetcher = PrefetchingReader(reader)
    /// Offsets of the damaged places that the analyzer was told of.
    var told: Set<UInt64> = []
    while let batch = prefetcher.nextBatch() {
      // A damaged place that swallowed events is told where they are missing; one that swallowed none, at the end.
      for place in prefetcher.damage where !told.contains(place.offset) {
        guard let missing = place.missing, !missing.isEmpty else { continue }
        told.insert(place.offset)
        analyzer.noteHole(
          lostEvents: UInt64(missing.count), firstSeq: missing.lowerBound, lastSeq: missing.upperBound - 1,
          damage: place.what == .gap ? nil : "\(place)")
      }
      analyzer.consume(batch)
    }
    for place in prefetcher.damage where !told.contains(place.offset) && place.what != .unfinished {
      let missing = place.missing ?? 0..<0
      analyzer.noteHole(
        lostEvents: UInt64(missing.count), firstSeq: missing.lowerBound, lastSeq: missing.isEmpty ? 0 : missing.upperBound - 1, damage: "\(place)")
    }
    return analyzer.finish(isComplete: reader.isComplete)
  }
}
