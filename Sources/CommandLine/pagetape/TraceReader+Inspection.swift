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
}
