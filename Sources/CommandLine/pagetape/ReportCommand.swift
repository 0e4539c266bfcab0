import Analyzer
import ArgumentParser
import Inspection
import OutputFiles
import ReportPage
import Reports
import Timeline
import TraceFile
import TraceFormat

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Judge a trace, and draw it: one HTML page with a timeline, findings and pages by writes.",
    discussion: Help.text(
      """
      The page needs no network and no other file. Exit status: 0 clean, 1 a rule was broken, 3 incomplete or \
      damaged with nothing found in what is left; 2 where the page could not be written.
      """,
      Help.Example("a page to look at", "pagetape report boot.tape -o report.html"),
      Help.Example("with the names of a kernel's functions", "pagetape report --symbols vmlinux boot.tape -o report.html"),
      Help.Example("to a pipe", "pagetape report boot.tape -o - | gzip > report.html.gz")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(name: .shortAndLong, help: "Where the page goes; - is standard output.", completion: .file(extensions: ["html"])) var output: String
  @Flag(help: "Overwrite the output.") var force = false
  @OptionGroup var names: SymbolOptions

  /// Entries of a tree that are walked for a snapshot.
  private static let treeLimit = 200

  func run() throws {
    let symbols = try names.load()
    let reader = try Traces.open(file)
    let summary = TraceSummary(of: reader)
    let verdict = Replay.verdict(of: reader)
    var timeline = Timeline(vcpuCount: reader.header.vcpuCount, watching: verdict.watch, from: reader.startOfTail)
    reader.run(&timeline)
    timeline.finish()
    let page = ReportPage(
      name: Traces.name(of: file), producer: Version.producer, summary: summary, verdict: verdict, timeline: timeline,
      snapshots: try snapshots(reader, verdict), symbols: symbols)
    try write(page.html, verdict)
    Traces.report(reader.damage, path: file)
    try verdict.outcome.status.end()
  }

  /// The machine right after each finding's event, and after the last event.
  private func snapshots(_ reader: TraceReader, _ verdict: Verdict) throws -> [MachineSnapshot] {
    guard let numbers = reader.numbers else { return [] }
    let seqs = Set(verdict.findings.map(\.seq).filter(numbers.contains)).union([numbers.upperBound])
    let first = reader.beginsTail ? numbers.lowerBound + 1 : 1
    return try seqs.filter { $0 >= first }.sorted().map { try reader.snapshot(at: $0, path: file, limit: Self.treeLimit) }
  }

  private func write(_ html: String, _ verdict: Verdict) throws {
    guard output != "-" else { return try Terminal.output(html) }
    try OutputFile.write(html, to: output, overwrites: force)
    try Terminal.output("\(output): \(verdict.outcome.rawValue), \(Count.text(verdict.events, "event")), \(Count.bytes(UInt64(html.utf8.count)))\n")
  }
}
