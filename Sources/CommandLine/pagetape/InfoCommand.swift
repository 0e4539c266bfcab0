import ArgumentParser
import Reports
import TraceEvents
import TraceFile
import TraceFormat

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Show who recorded what: header, counts, size, digest of the events, complete or not.",
    discussion: "Exit status: 0, or 3 where the trace is damaged or not complete.")

  @Argument(help: "The trace; - is standard input.") var file: String
  @Option(help: "text or json.") var format = OutputFormat.text

  func run() throws {
    let reader = try Traces.open(file)
    let info = TraceSummary(reading: reader)
    try Terminal.output(format == .json ? info.json.text + "\n" : info.text(name: file))
    Traces.report(reader.damage, path: file)
    if !info.isComplete || !reader.damage.isEmpty { try ExitStatus.incomplete.end() }
  }
}
