/// A pattern over rule names, as in `--rule 'stop/*'`: `*` stands for any run of characters, `?` for one.
public struct RuleGlob: Hashable, Sendable {
  public let pattern: String

  public init(_ pattern: String) { self.pattern = pattern }

  public func matches(_ rule: Rule) -> Bool {
    Self.match(Array(pattern.utf8)[...], Array(rule.name.utf8)[...])
  }

  /// Whether any built-in rule has such a name: a pattern that matches none is a typing mistake.
  public var matchesAny: Bool { Rule.allCases.contains(where: matches) }

  private static func match(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
    guard let head = pattern.first else { return name.isEmpty }
    switch head {
    case UInt8(ascii: "*"):
      return match(pattern.dropFirst(), name) || (!name.isEmpty && match(pattern, name.dropFirst()))
    case UInt8(ascii: "?"):
      return !name.isEmpty && match(pattern.dropFirst(), name.dropFirst())
    default:
      return name.first == head && match(pattern.dropFirst(), name.dropFirst())
    }
  }
}
