import Analyzer
import ArgumentParser
import Reports

struct RulesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules", abstract: "List the rules that replay judges.",
    discussion: Help.text(
      "Exit status: 0; 2 where the list could not be printed.",
      Help.Example("what replay judges", "pagetape rules")))

  @Option(help: "text or json.") var format = OutputFormat.text

  func run() throws {
    switch format {
    case .text:
      for rule in Rule.allCases {
        let name = rule.name.padding(to: 30)
        try Terminal.output("\(name)\(rule.statement)\(rule.severity == .warning ? " (warning)" : "")\n")
      }
    case .json:
      let rules = Rule.allCases.map { rule in
        JSON.object([
          ("name", .string(rule.name)), ("severity", .string(rule.severity.rawValue)), ("holds", .string(rule.statement)),
        ])
      }
      try Terminal.output(JSON.array(rules).text + "\n")
    }
  }
}

extension String {
  /// Spaces behind, up to a width.
  func padding(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
