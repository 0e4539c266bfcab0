import TraceFormat

/// What a repair kept and what it could not.
public struct RepairSummary: Hashable, Sendable {
  public var events: UInt64 = 0
  public var blocks = 0
  /// Events known to be missing in the original, and so in the copy, where they show as holes in the numbering.
  public var lost: UInt64 = 0
  public var damage: [DamageReport] = []
}

extension TraceReader {
  /// Copies every good block of events to a new file and gives it new keyframes, index and seek table. What is damaged is left out; the numbers of
  /// the events stay, so that what is missing stays visible. `-` is standard input, and standard output.
  public static func repair(from source: String, to target: String, force: Bool = false) throws(TraceFileError) -> RepairSummary {
    try TraceReader(path: source).repair(to: target, force: force)
  }

  /// The same with a trace that is open already. The next batch is then one past the end.
  public func repair(to target: String, force: Bool = false) throws(TraceFileError) -> RepairSummary {
    guard !isSameFile(as: target) else { throw TraceFileError(.exists, path: target, detail: "cannot repair a file onto itself") }
    rewind()
    var options = TraceWriter.Options()
    options.force = force
    let sink = try BlockSink(path: target, header: header, options: options)
    try sink.writeHeader()
    var summary = RepairSummary()
    let batch = EventBatch()
    while let block = nextBlock(into: batch) {
      try sink.copy(input.bytes(at: block.offset, count: Int(block.size)), block.prologue, decoded: batch)
      summary.events += UInt64(batch.count)
      summary.blocks += 1
      if batch.beginsTail {
        // What came before is known from a keyframe alone.
        let first = batch.firstSeq
        try sink.adopt(state(at: first))
        seek(toSeq: first + 1)
      }
    }
    try sink.finish()
    summary.lost = lostEvents
    summary.damage = damage
    return summary
  }
}
