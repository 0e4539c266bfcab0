import Analyzer
import ArgumentParser
import Reports
import TraceFile
import TraceFormat

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Judge a trace: the verdict, and why.",
    discussion: "Exit status: 0 clean, 1 a rule was broken, 3 incomplete or damaged with nothing found in what is left.")

  @Argument(help: "The trace; - is standard input.") var file: String
  @Option(help: "text or json.") var format = OutputFormat.text
  @Option(help: "Judge only the rules whose name matches, as in 'stop/*'.") var rule: String?

  func validate() throws {
    guard let rule else { return }
    let names = Rule.allCases.map(\.rawValue)
    guard RuleGlob(rule).matchesAny else {
      throw ValidationError("no rule matches '\(rule)'\(Suggestion.text(for: rule, among: names)); 'pagetape rules' lists them")
    }
  }

  func run() throws {
    let reader = try Traces.open(file)
    let whole = Replay.verdict(of: reader)
    let verdict = rule.map { whole.restricted(to: RuleGlob($0)) } ?? whole
    switch format {
    case .text: try Terminal.output(verdict.text(name: file, style: Terminal.style))
    case .json: try Terminal.output(verdict.json.text + "\n")
    }
    Traces.report(reader.damage, path: file)
    switch verdict.outcome {
    case .clean: try ExitStatus.clean.end()
    case .violated: try ExitStatus.findings.end()
    case .incomplete: try ExitStatus.incomplete.end()
    }
  }
}
