/// A pattern over rule names, as in `--rule 'stop/*'`: `*` stands for any run of characters, `?` for one.
public struct RuleGlob: Hashable, Sendable {
  public let pattern: String

  public init(_ pattern: String) { self.pattern = pattern }

  public func matches(_ rule: Rule) -> Bool { Wildcard.matches(Array(pattern.utf8), Array(rule.name.utf8)) }

  /// Whether any built-in rule has such a name: a pattern that matches none is a typing mistake.
  public var matchesAny: Bool { Rule.allCases.contains(where: matches) }
}
