import Analyzer
import ArgumentParser
import Inspection
import Reports
import Symbols
import TraceFile
import TraceFormat

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Judge a trace: the verdict, and why. Or show the machine at one event.",
    discussion: Help.text(
      """
      Exit status: 0 clean, 1 a rule was broken, 3 incomplete or damaged with nothing found in what is left. With --at: 0, or 2 where the trace has no \
      such event, or 3 where events before it are missing, so that what is shown is not certain. With --bisect, for 'git bisect run': 0 good, 1 bad, 125 \
      where the trace cannot be judged. Bad is a trace in which a rule that --rule names is broken, or, without --rule, one that is not as its expectation \
      says.
      """,
      Help.Example("judge a recording", "pagetape replay boot.tape"),
      Help.Example("only the stop protocol's rules, for a script", "pagetape replay --rule 'stop/*' --format json boot.tape"),
      Help.Example("find the commit that broke a rule", "git bisect run pagetape replay --bisect --rule 'stop/*' boot.tape"),
      Help.Example("the machine right after event 4711", "pagetape replay --at 4711 boot.tape"),
      Help.Example("with the names of the guest's functions", "pagetape replay --symbols guest.elf boot.tape")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(help: "text or json.") var format = OutputFormat.text
  @OptionGroup var colors: ColorOptions
  @OptionGroup var names: SymbolOptions
  @Option(help: "Judge only the rules whose name matches, as in 'stop/*'.", completion: .list(RuleArgument.names)) var rule: String?
  @Option(help: ArgumentHelp("Judge nothing, but show the machine right after this event.", valueName: "seq")) var at: UInt64?
  @Option(help: ArgumentHelp("With --at: how many ranges of traces, and how many entries of the tree, are shown at most.", valueName: "n"))
  var limit = 1000
  @Flag(help: "Only say good, bad or cannot be judged, with the exit status that 'git bisect run' wants.") var bisect = false
  @Option(help: ArgumentHelp("With --bisect: the expectation, if not the one beside the trace.", valueName: "file")) var expect: String?

  func validate() throws {
    if at != nil, rule != nil { throw ValidationError("--rule is for a verdict, and --at shows none") }
    if bisect, at != nil || format == .json { throw ValidationError("--bisect goes with --rule or --expect alone") }
    if bisect, names.symbols != nil { throw ValidationError("--bisect prints no address that --symbols could name") }
    if expect != nil, !bisect || rule != nil { throw ValidationError("--expect is for --bisect without --rule") }
    if bisect, file == "-", rule == nil, expect == nil { throw ValidationError("with - --bisect needs --rule or --expect") }
    if limit < 0 { throw ValidationError("--limit takes a number from 0, not \(limit)") }
    if let rule { try RuleArgument.check(rule) }
  }

  func run() throws {
    if bisect { return try bisected() }
    let symbols = try names.load()
    let reader = try Traces.open(file)
    if let at { return try show(reader, at: at, symbols) }
    let whole = Replay.verdict(of: reader)
    let verdict = rule.map { whole.restricted(to: RuleGlob($0)) } ?? whole
    switch format {
    case .text: try Terminal.output(verdict.text(name: file, style: colors.style, symbols: symbols))
    case .json: try Terminal.output(verdict.json(symbols).text + "\n")
    }
    Traces.report(reader.damage, path: file)
    try verdict.outcome.status.end()
  }

  private func show(_ reader: TraceReader, at seq: UInt64, _ symbols: GuestSymbols?) throws {
    let snapshot = try reader.snapshot(at: seq, path: file, limit: limit)
    switch format {
    case .text: try Terminal.output(snapshot.text(name: file, limit: limit, style: colors.style, symbols: symbols))
    case .json: try Terminal.output(snapshot.json(limit: limit, symbols: symbols).text + "\n")
    }
    Traces.report(reader.damage, path: file)
    if !snapshot.isCertain { try ExitStatus.incomplete.end() }
  }
}
