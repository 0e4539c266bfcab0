import ArgumentParser
import HappensBefore
import Interchange
import Reports

struct RacesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "races", abstract: "List the racy events of a trace: a native one, or a text in RAPID's STD format.",
    discussion: Help.text(
      """
      An access is racy if an earlier one conflicts with it and is not ordered before it. Exit status: 0 no race, 1 races were found, 2 a malformed \
      line, bad use or an I/O error, 3 a damaged trace with no race in what is left.
      """,
      Help.Example("the racy events of a recording", "pagetape races boot.tape"),
      Help.Example("of a text in RAPID's format, by plain happens-before", "pagetape races --semantics hb trace.std"),
      Help.Example("with the names of functions and variables", "pagetape races --symbols guest.elf boot.tape")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape", "std"])) var file: String
  @Option(help: "What is ordered: hb, happens-before; shb, also the last write of a variable before each read of it.")
  var semantics = OrderSemantics.shb
  @Option(help: "text or json.") var format = OutputFormat.text
  @OptionGroup var colors: ColorOptions
  @OptionGroup var names: SymbolOptions

  func run() throws {
    var input = try RacesInput(file)
    if input.isNative {
      try input.handBack()
      return try runNative()
    }
    if names.symbols != nil { throw Failure("\(file): --symbols names addresses of a native trace, and this is a text with names of its own") }
    var trace = STDRaces(semantics.detector)
    do {
      // SAFETY: reads at most as many bytes as there is room for.
      try unsafe trace.read { try unsafe input.read(into: $0) }
    } catch let error as STDError {
      if error.line == 1, isDamagedTrace { return try runNative() }
      throw Failure("\(file): \(error)")
    }
    try report(trace)
    if !trace.races.isEmpty { try ExitStatus.findings.end() }
  }

  /// Whether what does not start like a trace is one all the same, with its first bytes lost: a block is found in it. (A pipe can't be read again.)
  private var isDamagedTrace: Bool { file != "-" && (try? Traces.open(file)) != nil }

  private func report(_ trace: borrowing STDRaces) throws {
    if format == .text {
      try Terminal.output(headline(events: trace.eventCount, races: trace.races.count, places: UInt64(trace.racyVariableCount), "variable"))
    }
    var report = RaceReport(format == .json ? .json : .text, semantics.detector, events: trace.eventCount) { try Terminal.output($0) }
    try trace.write(to: &report)
    try report.end()
  }

  /// The first lines of a list for a person.
  func headline(events: UInt64, races: Int, places: UInt64, _ what: String) -> String {
    let style = colors.style
    let scope = "\(file): \(Count.text(events, "event"))"
    if races == 0 { return "\(style.good("clean"))  \(scope), no race (\(semantics))\n" }
    return "\(style.bad("racy"))  \(scope), \(Count.text(UInt64(races), "race")) on \(Count.text(places, what)) (\(semantics))\n\n"
  }
}

/// `RaceDetector.Semantics` as an option's value.
enum OrderSemantics: String, ExpressibleByArgument, CaseIterable {
  case hb, shb

  var detector: RaceDetector.Semantics { self == .hb ? .hb : .shb }
}
