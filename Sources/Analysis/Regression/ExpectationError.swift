/// Why a text is no expectation.
public struct ExpectationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// From 1.
  public let line: Int
  /// What is wrong there, and what was expected.
  public let what: String

  public init(line: Int, _ what: String) {
    self.line = line
    self.what = what
  }

  public var description: String { "line \(line): \(what)" }
}
