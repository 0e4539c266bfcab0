import Analyzer
import Races
import TraceFile
import TraceFormat

/// From a file to a verdict.
enum Replay {
  /// Reads the whole trace and judges it; with a tally, what its allow-list names is expected.
  static func verdict(of reader: TraceReader, tally: BreachTally? = nil) -> Verdict {
    Verdict(of: reader, tally: tally)
  }
}

extension Verdict.Outcome {
  /// What a verb that judges says when it ends.
  var status: ExitStatus {
    switch self {
    case .clean: .clean
    case .violated: .findings
    case .incomplete: .incomplete
    }
  }
}
