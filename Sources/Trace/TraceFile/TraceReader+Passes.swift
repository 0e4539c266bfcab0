public import TraceFormat

extension TraceReader: StoredTrace {
  public var damageLines: [String] { damage.map { "\($0)" } }

  public func run<Pass: TracePass & ~Copyable>(_ pass: inout Pass) {
    rewind()
    let batches = PrefetchingReader(self, isThreaded: readsAhead ? nil : false)
    /// Offsets of the damaged places that the pass was told of.
    var told: Set<UInt64> = []
    while !pass.isDone, let batch = batches.nextBatch() {
      // A damaged place that swallowed events is told where they are missing; one that swallowed none, at the end.
      for place in batches.damage where !told.contains(place.offset) {
        guard let missing = place.missing, !missing.isEmpty, missing.upperBound <= batch.firstSeq else { continue }
        told.insert(place.offset)
        pass.noteHole(
          lostEvents: UInt64(missing.count), firstSeq: missing.lowerBound, lastSeq: missing.upperBound - 1,
          damage: place.what == .gap ? nil : "\(place)")
      }
      pass.consume(batch)
    }
    batches.stop()
    for place in batches.damage where !told.contains(place.offset) && place.what != .unfinished {
      let missing = place.missing ?? 0..<0
      pass.noteHole(
        lostEvents: UInt64(missing.count), firstSeq: missing.lowerBound, lastSeq: missing.isEmpty ? 0 : missing.upperBound - 1, damage: "\(place)")
    }
  }
}
