import ArgumentParser

/// What the process says when it ends; documented in the README.
enum ExitStatus: Int32 {
  case clean = 0
  case findings = 1
  /// Bad use, or an I/O error.
  case badUse = 2
  /// The trace is damaged or incomplete, and nothing was found in what is left.
  case incomplete = 3
  /// This host can't do it.
  case unsupported = 4
  /// Of `replay --bisect`: this version cannot judge the trace. `git bisect run` passes over such a commit.
  case skipped = 125

  /// Ends the command with this status, without another word.
  func end() throws {
    if self != .clean { throw ExitCode(rawValue) }
  }
}

/// An error that is told in one line.
struct Failure: Error {
  var message: String
  var status: ExitStatus

  init(_ message: String, _ status: ExitStatus = .badUse) {
    self.message = message
    self.status = status
  }
}
