import ArgumentParser
import Reports
import TraceEvents
import TraceFile
import TraceFormat

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Show who recorded what: header, counts, size, digest of the events, complete or not.",
    discussion: Help.text(
      "Exit status: 0, or 3 where the trace is damaged or not complete.",
      Help.Example("what a stranger's trace is", "pagetape info boot.tape")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(help: "text or json.") var format = OutputFormat.text

  func run() throws {
    let reader = try Traces.open(file)
    let info = TraceSummary(of: reader)
    try Terminal.output(format == .json ? info.json.text + "\n" : info.text(name: file))
    Traces.report(reader.damage, path: file)
    if !info.isComplete || !reader.damage.isEmpty { try ExitStatus.incomplete.end() }
  }
}
