/// A pattern over rule names, as in `--rule 'stop/*'`: `*` stands for any run of characters, `?` for one.
public struct RuleGlob: Hashable, Sendable {
  public let pattern: String

  public init(_ pattern: String) { self.pattern = pattern }

  public func matches(_ rule: Rule) -> Bool { Self.match(Array(pattern.utf8), Array(rule.name.utf8)) }

  /// Whether any built-in rule has such a name: a pattern that matches none is a typing mistake.
  public var matchesAny: Bool { Rule.allCases.contains(where: matches) }

  /// In steps of at most one length times the other, however many stars there are: patterns come in files of strangers.
  private static func match(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
    var (at, inside) = (0, 0)
    // Where to go on when what follows the last star did not fit: one byte further.
    var star: (pattern: Int, name: Int)?
    while inside < name.count {
      if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
        star = (at, inside)
        at += 1
      } else if at < pattern.count, pattern[at] == name[inside] || pattern[at] == UInt8(ascii: "?") {
        (at, inside) = (at + 1, inside + 1)
      } else if let last = star {
        star = (last.pattern, last.name + 1)
        (at, inside) = (last.pattern + 1, last.name + 1)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
