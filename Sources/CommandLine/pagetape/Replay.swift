import Analyzer
import Races
import TraceFile
import TraceFormat

/// From a file to a verdict.
enum Replay {
  /// Reads the whole trace and judges it.
  static func verdict(of reader: TraceReader) -> Verdict {
    Verdict(of: reader, Analyzer.Subject(reader.header), isComplete: reader.isComplete)
  }
}
