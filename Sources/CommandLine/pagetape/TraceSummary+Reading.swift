import Reports
import TraceFile
import TraceFormat

extension TraceSummary {
  /// Reads the whole trace once.
  init(reading reader: TraceReader) {
    self.init(header: reader.header, size: reader.size)
    var stream = EventDigest()
    let batch = EventBatch()
    while reader.nextBatch(into: batch) {
      add(batch)
      stream.combine(batch)
    }
    digest = stream.text
    lost &+= reader.lostEvents
    isComplete = reader.isComplete
    damage = reader.damage.map { "\($0)" }
  }
}
