import ArgumentParser
import TraceFile
import TraceFormat

/// Opening traces, with errors told as the tool tells them.
enum Traces {
  static func open(_ path: String) throws -> TraceReader {
    guard !path.isEmpty else { throw Failure("the name of the trace is empty") }
    do { return try TraceReader(path: path) } catch { throw failure(error) }
  }

  /// What a trace is called in what is made of it.
  static func name(of path: String) -> String { path == "-" ? "standard input" : path }

  /// A file in which no trace can be found is a damaged trace; one that can't be opened, or is there already, is an I/O error.
  static func failure(_ error: TraceFileError) -> Failure {
    switch error.code {
    case .notATrace: Failure("\(error)", .incomplete)
    case .exists: Failure("\(error); --force overwrites it")
    case .system: Failure("\(error)\(Suggestion.text(forFile: error.path))")
    default: Failure("\(error)")
    }
  }

  /// Says on standard error what is wrong with the file, at most a screenful.
  static func report(_ damage: [DamageReport], path: String) {
    for place in damage.prefix(20) { Terminal.error("pagetape: \(path): \(place)") }
    if damage.count > 20 { Terminal.error("pagetape: \(path): and \(damage.count - 20) more damaged places") }
  }
}
