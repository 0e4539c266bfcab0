import Analyzer
import ArgumentParser
import Digests
import Exports
import Interchange
import OutputFiles
import Reports
import Symbols
import TraceFile
import TraceFormat

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a trace in another tool's format.",
    discussion: Help.text(
      """
      perfetto: Chrome's trace events, for https://ui.perfetto.dev: modes by vCPU as slices, signals as arrows, alerts and findings as marks.
      sarif: the findings as SARIF 2.1.0, for code scanning and editors.
      jsonl: every event as JSON, one a line, as dump says it; the first line is the header.
      csv: every event as a row, for data frames and SQL.
      sqlite: a database of events, modes, signals, rendezvous, writes, findings and damage; it needs a file, named by -o.
      std: RAPID's text format: a vCPU is the thread T and its number, 8 bytes of memory the variable V and their address, the location the number of the \
      event. What one vCPU waits for another to do is a fork and a join of a thread that does nothing else.

      Exit status: 0, whatever is found; 3 where the trace is damaged (what can be read of it is exported all the same); 2 where the output could not be \
      written, and then no part of it is left.
      """,
      Help.Example("a timeline for the Perfetto UI", "pagetape export --format perfetto boot.tape -o boot.json"),
      Help.Example("findings for code scanning", "pagetape export --format sarif boot.tape -o boot.sarif"),
      Help.Example("all events for jq", "pagetape export --format jsonl boot.tape | jq 'select(.kind==\"alert\")'"),
      Help.Example("all events for pandas or DuckDB", "pagetape export --format csv boot.tape -o boot.csv"),
      Help.Example("query a trace with SQL", "pagetape export --format sqlite boot.tape -o boot.sqlite"),
      Help.Example("hand a trace to a race detector that reads RAPID's format", "pagetape export --format std boot.tape > boot.std"),
      Help.Example("every event a line, with the names of the guest's functions", "pagetape export --format jsonl --symbols vmlinux boot.tape")))

  enum Format: String, ExpressibleByArgument, CaseIterable { case perfetto, sarif, jsonl, csv, sqlite, std }

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(help: "perfetto, sarif, jsonl, csv, sqlite or std.") var format = Format.std
  @Option(name: .shortAndLong, help: ArgumentHelp("Where it goes; - is standard output.", valueName: "file"), completion: .file()) var output = "-"
  @Flag(help: "Overwrite the output.") var force = false
  @OptionGroup var names: SymbolOptions

  func validate() throws {
    if names.symbols != nil, format == .std {
      throw ValidationError("--format std has no place for names: 'races --symbols' puts them to the races of the trace itself")
    }
    guard format == .sqlite, output == "-" else { return }
    throw ValidationError("--format sqlite needs -o FILE: a database is not written from its start to its end, so it cannot go to standard output")
  }

  func run() throws {
    let symbols = try names.load()
    let reader = try Traces.open(file)
    guard output == "-" || !reader.isSameFile(as: output) else { throw Failure("\(output): cannot write a trace's export onto the trace") }
    let done = try export(reader, symbols, to: OutputFile(output, overwrites: force))
    if output != "-" { try Terminal.output("\(output): \(Count.text(done.events, "event")), \(Count.bytes(done.bytes))\n") }
    Traces.report(reader.damage, path: file)
    if !reader.damage.isEmpty { try ExitStatus.incomplete.end() }
  }

  private func export(_ reader: TraceReader, _ symbols: GuestSymbols?, to output: consuming OutputFile) throws -> (events: UInt64, bytes: UInt64) {
    let producer = Version.producer
    return switch format {
    case .sqlite: try database(of: reader, symbols, to: output)
    case .std: try ExportPass.run(TraceExport(vcpuCount: reader.header.vcpuCount), reader, to: output)
    case .jsonl: try ExportPass.run(JSONLinesExport(header: reader.header, producer: producer, symbols: symbols), reader, to: output)
    case .perfetto: try ExportPass.run(perfetto(reader, producer, symbols), reader, to: output)
    case .sarif: try write(sarif(reader, symbols), to: output)
    case .csv: try ExportPass.run(CSVExport(symbols: symbols), reader, to: output)
    }
  }

  private func perfetto(_ reader: TraceReader, _ producer: String, _ symbols: GuestSymbols?) -> PerfettoExport {
    var unanswered = UnansweredSignals()
    reader.run(&unanswered)
    unanswered.finish()
    return PerfettoExport(
      name: Traces.name(of: file), producer: producer, header: reader.header, findings: Replay.verdict(of: reader).findings, unanswered: unanswered,
      from: reader.startOfTail, symbols: symbols)
  }

  private func sarif(_ reader: TraceReader, _ symbols: GuestSymbols?) -> SARIFLog {
    let verdict = Replay.verdict(of: reader)
    var named = NamedEvents(verdict.findings)
    reader.run(&named)
    var hash = SHA256()
    reader.readBytes { hash.update($0) }
    return SARIFLog(
      artifact: SARIFLog.Artifact(path: file == "-" ? nil : file, size: reader.size, digest: hash.hexadecimal()), version: Version.text, verdict: verdict,
      named: named, damage: reader.damage.map { "\($0)" }, bytes: { reader.bytes(ofEvent: $0) }, symbols: symbols)
  }

  private func write(_ log: SARIFLog, to output: consuming OutputFile) throws -> (events: UInt64, bytes: UInt64) {
    try output.write(log.text)
    try output.finish()
    return (log.verdict.events, output.byteCount)
  }
}
