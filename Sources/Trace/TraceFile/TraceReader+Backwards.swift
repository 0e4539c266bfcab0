public import TraceFormat

extension TraceReader {
  /// Reads the readable blocks of events from the one that holds event `last` back to the first, as long as `body` wants more. Answers
  /// whether it came to the first.
  ///
  /// Events of a batch are in order; those of the first batch may go on past `last`. Damage is reported and passed over, as by `nextBatch`; `missing`
  /// are the events between a batch and what was given before it. The next batch is not changed by it.
  public func readBackwards(from last: UInt64, into batch: EventBatch, _ body: (_ batch: EventBatch, _ missing: Range<UInt64>?) -> Bool) -> Bool {
    let limit = last == .max ? last : last + 1
    var end = limit
    for number in blocks.indices.reversed() {
      let block = blocks[number].prologue
      guard block.type == BlockType.events.rawValue, block.firstSeq < end else { continue }
      let after = block.firstSeq + UInt64(block.count)
      // A block that repeats events is damage, which reading forwards reports.
      guard after <= end || end == limit else { continue }
      if let error = read(number, into: batch) {
        report(number, error, missing: block.firstSeq..<after)
        continue
      }
      guard body(batch, after < end ? after..<end : nil) else { return false }
      end = block.firstSeq
    }
    return true
  }
}
