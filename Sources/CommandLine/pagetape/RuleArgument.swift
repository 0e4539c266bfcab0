import Analyzer
import ArgumentParser

/// What `--rule` takes.
enum RuleArgument {
  /// Every rule, and every group as a pattern.
  static let names = Rule.allCases.map(\.name) + Set(Rule.allCases.map(\.group)).sorted().map { $0 + "/*" }

  /// Fails where no rule matches: that is a typing mistake.
  static func check(_ rule: String) throws {
    guard !RuleGlob(rule).matchesAny else { return }
    throw ValidationError("no rule matches '\(rule)'\(Suggestion.text(for: rule, among: names)); 'pagetape rules' lists them")
  }
}
