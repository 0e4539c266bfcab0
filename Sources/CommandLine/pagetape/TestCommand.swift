import ArgumentParser
import OutputFiles
import Regression
import Reports
import TraceSuite

struct TestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "Replay stored traces and compare with the expectation beside each.",
    discussion: Help.text(
      """
      The expectation of x.tape is x.expected, a text file: verdict, findings with place and reasons, damage. Folders are searched with all below them. \
      x.allow, if it is there, lists breaches that are expected ('pagetape help replay' says how); they are counted. \
      A trace that differs, passes though it should not, or stands alone, fails; a damaged one is an error unless its expectation says how it is damaged.

      Exit status: 0 all as expected; 1 some are not; 2 bad use, or a file that cannot be read; 3 damaged traces and nothing else.
      """,
      Help.Example("compare", "pagetape test traces"),
      Help.Example("accept what is new, and show it", "pagetape test --update traces"),
      Help.Example("the second of four machines", "pagetape test --shard 2/4 --report 2.json traces"),
      Help.Example("and what they come to together", "pagetape test --merge 1.json 2.json 3.json 4.json")))

  @Argument(help: "Folders and traces; 'traces' if none is given. With --merge: reports of shards.", completion: .file()) var paths: [String] = []
  @Flag(help: "Accept what came: write new expectations, and show what changes.") var update = false
  @Flag(help: "With --update: accept damaged traces too.") var acceptDamage = false
  @Option(
    help: ArgumentHelp(
      "Only traces whose path contains this, or whose name matches it as in 'fault-*' (with a slash: the path); may be given several times.",
      valueName: "text|glob"))
  var filter: [String] = []
  @Option(help: ArgumentHelp("How many traces at a time; one for each processor if not given.", valueName: "n")) var jobs: Int?
  @Option(help: ArgumentHelp("Run one of N parts.", valueName: "i/n"), transform: ShardArgument.shard) var shard: SuiteReport.Shard?
  @Flag(help: "Merge the reports of all shards of a run: output and exit status are those of the whole.") var merge = false
  @Flag(help: "Stop at the first trace that fails.") var failFast = false
  @Flag(name: .shortAndLong, help: "Name the traces that pass, too.") var verbose = false
  @Option(help: ArgumentHelp("Write a JUnit XML file as well.", valueName: "file")) var junit: String?
  @Option(help: ArgumentHelp("Write the JSON report as well: what --merge takes.", valueName: "file")) var report: String?
  @Flag(help: "Overwrite the files of --junit and --report.") var force = false
  @Option(help: "text or json.") var format = OutputFormat.text
  @OptionGroup var colors: ColorOptions

  func validate() throws {
    if let jobs, !(1...1024).contains(jobs) { throw ValidationError("--jobs takes 1 to 1024, not \(jobs)") }
    if acceptDamage, !update { throw ValidationError("--accept-damage is for --update") }
    if update, failFast { throw ValidationError("--update accepts what fails, and --fail-fast stops there: give one of them") }
    if merge {
      if paths.isEmpty { throw ValidationError("--merge takes the reports of the shards") }
      if update || failFast || shard != nil || jobs != nil || !filter.isEmpty {
        throw ValidationError("--merge replays nothing: it goes with --format, --verbose, --junit and --report alone")
      }
    }
    if filter.contains("") { throw ValidationError("--filter takes a text to look for, not nothing") }
  }

  func run() throws {
    if !force {
      for path in [junit, report].compactMap(\.self) where SuiteFiles.exists(path) { throw Failure("\(path): exists; --force overwrites it") }
    }
    let told = try merge ? merged() : replayed()
    try conclude(told)
  }

  private func merged() throws -> SuiteReport {
    do {
      let whole = try SuiteReport(merging: try paths.map { ($0, try SuiteReport(path: $0)) })
      if format == .text { for result in whole.results { try Terminal.output(text(of: result)) } }
      return whole
    } catch let error as SuiteError { throw Failure("\(error)") } catch let error as SuiteReport.MergeError { throw Failure("--merge: \(error)") }
  }

  private func replayed() throws -> SuiteReport {
    var suite: StoredTraces
    do { suite = try StoredTraces(paths.isEmpty ? ["traces"] : paths) } catch {
      throw Failure("\(error)" + (paths.isEmpty ? "; without a path the traces are those of the folder 'traces' here" : ""))
    }
    let places = paths.isEmpty ? "traces" : paths.joined(separator: ", ")
    guard !suite.entries.isEmpty else { throw Failure("\(places): no trace (a file named *.tape) in it") }
    suite.keep(filter.map(NamePattern.init))
    guard !suite.entries.isEmpty else { throw Failure("no trace in \(places) matches --filter \(filter.joined(separator: ", "))") }
    var options = SuiteRun.Options()
    options.jobs = jobs
    options.shard = shard
    options.failsFast = failFast
    options.updates = update
    options.acceptsDamage = acceptDamage
    let run = SuiteRun(suite, options)
    let teller = SuiteTeller(total: run.count) { format == .text ? text(of: $0) : "" }
    let report = run.run(version: Version.text) { teller.tell($0) }
    try teller.end()
    return report
  }

  /// Nothing for a trace that passed, unless all are asked for.
  private func text(of result: TraceResult) -> String {
    guard verbose || ![.passed, .notRun].contains(result.status) else { return "" }
    return result.lines(style: colors.style).joined(separator: "\n") + "\n"
  }

  private func conclude(_ whole: SuiteReport) throws {
    switch format {
    case .text: try Terminal.output(whole.summary(style: colors.style))
    case .json: try Terminal.output(whole.json.text + "\n")
    }
    // Whether they may be overwritten was asked before anything ran.
    if let junit { try OutputFile.write(whole.junit, to: junit, overwrites: true) }
    if let report { try OutputFile.write(whole.json.text + "\n", to: report, overwrites: true) }
    switch whole.outcome {
    case .passed: try ExitStatus.clean.end()
    case .failed: try ExitStatus.findings.end()
    case .unreadable: try ExitStatus.badUse.end()
    case .damaged: try ExitStatus.incomplete.end()
    }
  }
}

/// What `--shard` takes.
enum ShardArgument {
  @Sendable static func shard(_ argument: String) throws -> SuiteReport.Shard {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1], let shard = SuiteReport.Shard(index: index, count: count) else {
      throw ValidationError("'\(argument)' is no shard: expected I/N with I from 1 to N, as in 2/4")
    }
    return shard
  }
}
