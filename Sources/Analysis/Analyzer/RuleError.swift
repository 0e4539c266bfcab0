/// Why a rule of a user's own cannot be.
public struct RuleError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    /// Not `group/name` in small Latin letters, digits and hyphens.
    case badName
    /// The group is one of the built-in rules'.
    case reservedGroup
    /// A severity that only the trace itself has.
    case badSeverity
  }

  public let code: Code
  /// The name that was asked for.
  public let name: String

  init(_ code: Code, _ name: String) {
    self.code = code
    self.name = name
  }

  public var description: String {
    switch code {
    case .badName:
      "'\(name)' is no name of a rule: expected group/name in small letters, digits and hyphens, as in acme/no-write-in-reset, "
        + "of \(Rule.nameLimit) bytes at most"
    case .reservedGroup:
      "'\(name)' is in a group of the built-in rules (\(Rule.builtInGroups.sorted().joined(separator: ", "))): expected a group of your own"
    case .badSeverity: "'\(name)' has the severity of a hole in the trace: expected a violation or a warning"
    }
  }
}
