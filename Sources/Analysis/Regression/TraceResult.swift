/// What became of one stored trace.
public struct TraceResult: Hashable, Sendable, Codable {
  public enum Status: String, Sendable, Codable, CaseIterable {
    /// As expected.
    case passed
    /// Not as expected; it was so before `update` accepted it.
    case updated
    /// Otherwise than it should be, as the expectation says it is known to be.
    case knownFailure = "known-failure"
    case differs
    /// What should fail does not any more: a known failure, or a trace in which a rule was broken, or one whose damage is gone.
    case unexpectedPass = "unexpected-pass"
    /// A trace without an expectation beside it.
    case noExpectation = "no-expectation"
    /// An expectation without its trace.
    case noTrace = "no-trace"
    /// The file is damaged, and not expected to be, or otherwise than expected.
    case damaged
    /// The expectation cannot be read as one.
    case badExpectation = "bad-expectation"
    /// The trace or its expectation cannot be opened, read or written.
    case ioError = "io-error"
    /// The run was stopped before it.
    case notRun = "not-run"

    public var isFailure: Bool {
      switch self {
      case .passed, .updated, .knownFailure, .notRun: false
      default: true
      }
    }

    /// In a sentence that counts them: `2 damaged`.
    var words: String {
      switch self {
      case .knownFailure: "known to fail"
      case .unexpectedPass: "passed unexpectedly"
      case .noExpectation: "without an expectation"
      case .noTrace: "without a trace"
      case .badExpectation: "with a malformed expectation"
      case .ioError: "not readable"
      case .notRun: "not run"
      case .differs: "not as expected"
      case .passed, .updated, .damaged: rawValue
      }
    }
  }

  /// The trace's path as it was found below what the user named.
  public var trace: String
  public var status: Status
  /// A `TraceExpectation.Outcome`, nil where the trace was not judged.
  public var verdict: String?
  public var events: UInt64?
  /// Wall time of its replay.
  public var seconds: Double = 0
  /// What there is to say besides the difference, in one line.
  public var message: String?
  /// Lines of an `ExpectationDifference`.
  public var difference: [String] = []

  public init(trace: String, status: Status, message: String? = nil) {
    self.trace = trace
    self.status = status
    self.message = message
  }

  /// Holds a replay against what was expected of it, nil where nothing was.
  public init(trace: String, expected: TraceExpectation?, came: TraceExpectation) {
    self.init(trace: trace, status: .passed)
    verdict = came.outcome.rawValue
    events = came.events
    guard let expected else {
      difference = ExpectationDifference(new: came).lines
      status = came.damage.isEmpty ? .noExpectation : .damaged
      message = came.damage.isEmpty ? "no expectation beside it; --update writes one" : Self.damageText(came)
      return
    }
    difference = ExpectationDifference(expected: expected, came: came).lines
    if !came.damage.isEmpty, came.damage != expected.damage {
      status = .damaged
      message = Self.damageText(came)
    } else if difference.isEmpty {
      guard let why = expected.knownFailure else { return }
      status = .unexpectedPass
      message = "is as it should be, and was known not to be: \(why)"
    } else if let why = expected.knownFailure {
      status = .knownFailure
      message = why
    } else if came.damage.isEmpty, !expected.damage.isEmpty {
      status = .unexpectedPass
      message = "is expected to be damaged, and is whole"
    } else if expected.outcome == .violated, came.outcome == .clean {
      status = .unexpectedPass
      message = "rules were broken in it, and none is found broken now"
    } else {
      status = .differs
      if let digest = expected.digest, digest != came.digest { message = "is another trace than the one expected" }
    }
  }

  private static func damageText(_ came: TraceExpectation) -> String {
    let more = came.damage.count > 1 ? ", and \(came.damage.count - 1) more" : ""
    return (came.damage.first ?? "") + more
  }
}
