import Analyzer
import ArgumentParser

/// What `--rule` takes.
enum RuleArgument {
  /// Fails where no rule matches: that is a typing mistake.
  static func check(_ rule: String) throws {
    guard !RuleGlob(rule).matchesAny else { return }
    throw ValidationError("no rule matches '\(rule)'\(Suggestion.text(for: rule, among: Rule.allCases.map(\.name))); 'pagetape rules' lists them")
  }
}
