import Analyzer
import ArgumentParser
import Glibc
import Minimization
import Races
import Reports
import TraceFile
import TraceFormat

struct MinimizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "minimize", abstract: "Shrink a trace to the few events that still show a finding.",
    discussion: Help.text(
      """
      What belongs together stays together: a signal and its answer, a rendezvous, a trace and its removal, a hypercall and what came of it. The analyzer \
      itself finds the same in the result: the rule, the place and the reasons, and no rule broken that is not in the whole. Events are numbered anew; the \
      header says from what the trace was made. Exit status: 0 written, 2 bad use, an I/O error, or no such finding.
      """,
      Help.Example("the few events that show a race with the stop protocol", "pagetape minimize --rule 'stop/*' boot.tape -o small.tape"),
      Help.Example("those that show what was found at event 4711", "pagetape minimize --rule '*' --at 4711 boot.tape -o small.tape")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(help: "Show the first finding of a rule whose name matches, as in 'stop/*'.", completion: .list(RuleArgument.names)) var rule: String
  @Option(help: ArgumentHelp("Show what is found at this event: the one that replay names, or a repeat of it.", valueName: "seq")) var at: UInt64?
  @Option(name: .shortAndLong, help: ArgumentHelp("Where the small trace goes.", valueName: "file.tape")) var output: String
  @Flag(help: "Overwrite the output.") var force = false
  @Option(help: "text or json.") var format = OutputFormat.text

  func validate() throws { try RuleArgument.check(rule) }

  func run() throws {
    let clock = ContinuousClock()
    let start = clock.now
    let reader = try Traces.open(file)
    guard output != "-" else { throw Failure("minimize says on standard output what it found: name a file with -o, not -") }
    guard !reader.isSameFile(as: output) else { throw Failure("\(output): cannot write a trace onto itself") }
    let verdict = Replay.verdict(of: reader)
    let small: MinimizedTrace
    do {
      small = try TraceMinimizer(header: reader.header, subject: Analyzer.Subject(reader.header))
        .minimize(reader, verdict: verdict, rule: RuleGlob(rule), at: at, isComplete: reader.isComplete)
    } catch {
      Traces.report(reader.damage, path: file)
      throw Failure("\(file): \(error)")
    }
    let size = try write(small)
    let seconds = (clock.now - start) / .seconds(1)
    switch format {
    case .text: try Terminal.output(small.text(name: output, size: size, seconds: seconds))
    case .json: try Terminal.output(small.json(size: size, seconds: seconds).text + "\n")
    }
    Traces.report(reader.damage, path: file)
  }

  private func write(_ small: MinimizedTrace) throws -> UInt64 {
    var options = TraceWriter.Options()
    options.force = true
    options.flushInterval = 0
    return try WholeTrace.write(output, overwrites: force) { path in
      let writer = try TraceWriter(path: path, header: small.header, options: options)
      for event in small.events { writer.append(timed: event) }
      try writer.finish()
      return writer.size
    }
  }
}
