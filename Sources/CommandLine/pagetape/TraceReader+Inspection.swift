import Inspection
import Reports
import TraceFile
import TraceFormat

extension TraceReader {
  /// The machine right after an event; reads no more of the file than that takes.
  func snapshot(at seq: UInt64, path: String, limit: Int) throws -> MachineSnapshot {
    try check(seq, path: path)
    let reading = readState(at: seq)
    return MachineSnapshot(at: seq, event: event(seq), state: reading.state, missing: reading.missing, header: header, limit: limit)
  }

  /// Fails where the trace does not reach to an event of this number.
  func check(_ seq: UInt64, path: String) throws {
    guard seq > 0 else { throw Failure("\(path): there is no event 0; the first one of a recording is 1") }
    guard let numbers else { throw Failure("\(path): the trace holds no events", .incomplete) }
    guard seq <= numbers.upperBound else {
      throw Failure("\(path): there is no event \(seq); \(isComplete ? "the trace ends with" : "the last one that the file holds is") \(numbers.upperBound)")
    }
    guard seq >= numbers.lowerBound || !beginsTail else {
      throw Failure("\(path): event \(seq) is not kept: the trace holds the end of a recording, from event \(numbers.lowerBound + 1) on")
    }
  }

  /// Events after the one asked for that are looked at for page-writes that may have happened before it.
  private static let lookahead: UInt64 = 1 << 20

  /// Who wrote these bytes up to an event: reads backwards until there is enough, or to the start.
  func history(of bytes: GuestBytes, through last: UInt64, limit: Int, countsAll: Bool, isLast: Bool) -> WriteHistory {
    let batch = EventBatch()
    let vcpus = isLast ? [] : readState(at: last).state.vcpus
    let executing = vcpus.indices.filter { vcpus[$0].isExecuting }.map { UInt16($0) }
    var history = WriteHistory(of: bytes, through: last, limit: limit, executing: Set(executing))
    seek(toSeq: last + 1)
    while history.wantsLater, nextBatch(into: batch), batch.firstSeq <= last + Self.lookahead { history.addLater(batch) }
    let isWhole = readBackwards(from: last, into: batch) { batch, missing in
      history.add(batch, missing: missing)
      return countsAll || !history.hasEnough
    }
    if isWhole { history.finish(isTail: beginsTail) }
    return history
  }
}
