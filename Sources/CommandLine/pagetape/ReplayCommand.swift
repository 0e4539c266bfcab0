import AllowLists
import Analyzer
import ArgumentParser
import Inspection
import OutputFiles
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

      An allow-list has one entry a line: a rule, or a pattern as in 'race/*'; the instruction that breaks it; the memory that it is broken at. Each of the \
      two is a symbol, as in name, name+0x10 or name+0x10+8 (with --symbols), addresses, as in 0x1000 or 0x1000+0x20, * for any, or - where the trace \
      does not say. Behind # is a comment. Entries that name nothing that happened are told, and names that the symbols do not have.
      """,
      Help.Example("judge a recording", "pagetape replay boot.tape"),
      Help.Example("only the stop protocol's rules, for a script", "pagetape replay --rule 'stop/*' --format json boot.tape"),
      Help.Example("find the commit that broke a rule", "git bisect run pagetape replay --bisect --rule 'stop/*' boot.tape"),
      Help.Example("the machine right after event 4711", "pagetape replay --at 4711 boot.tape"),
      Help.Example("with the names of the guest's functions", "pagetape replay --symbols guest.elf boot.tape"),
      Help.Example("write down what is found, to be reviewed", "pagetape replay --symbols vmlinux boot.tape --write-allow kernel.allow"),
      Help.Example("and find what is new", "pagetape replay --symbols vmlinux boot.tape --allow kernel.allow")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(help: "text or json.") var format = OutputFormat.text
  @OptionGroup var colors: ColorOptions
  @OptionGroup var names: SymbolOptions
  @OptionGroup var lists: AllowListOptions
  @Option(help: "Judge only the rules whose name matches, as in 'stop/*'.", completion: .list(RuleArgument.names)) var rule: String?
  @Option(help: ArgumentHelp("Judge nothing, but show the machine right after this event.", valueName: "seq")) var at: UInt64?
  @Option(help: ArgumentHelp("With --at: how many ranges of traces, and how many entries of the tree, are shown at most.", valueName: "n"))
  var limit = 1000
  @Flag(help: "Only say good, bad or cannot be judged, with the exit status that 'git bisect run' wants.") var bisect = false
  @Option(help: ArgumentHelp("With --bisect: the expectation, if not the one beside the trace.", valueName: "file")) var expect: String?

  func validate() throws {
    if at != nil, rule != nil { throw ValidationError("--rule is for a verdict, and --at shows none") }
    if at != nil, lists.isGiven { throw ValidationError("--allow and --write-allow are for a verdict, and --at shows none") }
    if bisect, at != nil || format == .json { throw ValidationError("--bisect goes with --rule or --expect alone") }
    if bisect, names.symbols != nil, lists.allow == nil { throw ValidationError("--bisect prints no address that --symbols could name") }
    if bisect, lists.writeAllow != nil { throw ValidationError("--bisect writes no list") }
    if bisect, lists.allow != nil, rule == nil { throw ValidationError("with --bisect --allow needs --rule: an expectation says itself what is expected") }
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
    let list = try lists.load(symbols)
    let output = try lists.begin(reader)
    let whole = Replay.verdict(of: reader, tally: list?.tally)
    let verdict = rule.map { whole.restricted(to: RuleGlob($0)) } ?? whole
    switch format {
    case .text: try Terminal.output(verdict.text(name: file, style: colors.style, symbols: symbols))
    case .json: try Terminal.output(verdict.json(symbols).text + "\n")
    }
    if let output, let list, let tally = whole.tally {
      try write(list.text.adding(tally, of: rule.map { RuleGlob($0) }, symbols: symbols), to: output)
    }
    Traces.report(reader.damage, path: file)
    try verdict.outcome.status.end()
  }

  /// The verdict has standard output.
  private func write(_ list: AllowListText, to file: consuming OutputFile) throws {
    let path = file.path
    try file.write(list.description)
    try file.finish()
    Terminal.error("pagetape: \(path): \(Count.grouped(UInt64(list.entries.count))) \(list.entries.count == 1 ? "entry" : "entries") written")
    for omission in list.omissions { Terminal.error("pagetape: \(path): \(omission)") }
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
