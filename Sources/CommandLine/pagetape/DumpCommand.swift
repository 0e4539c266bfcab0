import ArgumentParser
import Reports
import TraceEvents
import TraceFile
import TraceFormat

struct DumpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump", abstract: "Print the events, one a line.",
    discussion: Help.text(
      """
      Exit status: 0, also where no event is of the kind or the vCPU asked for; 2 bad use, or a file that cannot be read; 3 where the trace is damaged, and \
      what can be read of it was printed.
      """,
      Help.Example("the events around a finding", "pagetape dump boot.tape --from 1398 --to 1420"),
      Help.Example("one vCPU's trapped writes, for jq", "pagetape dump boot.tape --vcpu 1 --kind write-trap --format json"),
      Help.Example("with names of a kernel's functions and variables", "pagetape dump boot.tape --symbols vmlinux")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(help: ArgumentHelp("First event.", valueName: "seq")) var from: UInt64 = 1
  @Option(help: ArgumentHelp("Last event.", valueName: "seq")) var to = UInt64.max
  @Option(help: "Only this vCPU's events: a number, or host.") var vcpu: String?
  @Option(
    help: ArgumentHelp("Only this kind of event, as in write-trap; may be given several times.", valueName: "kind"),
    completion: .list(EventKind.table.map(\.name)))
  var kind: [String] = []
  @Option(help: "text, or json for JSON Lines.") var format = OutputFormat.text
  @OptionGroup var names: SymbolOptions

  func validate() throws {
    for name in kind where EventKind(name: name) == nil {
      throw ValidationError("no kind of event is called '\(name)'\(Suggestion.text(for: name, among: EventKind.table.map(\.name)))")
    }
    if let vcpu, vcpu != "host", UInt16(vcpu) == nil { throw ValidationError("--vcpu takes a number or host, not '\(vcpu)'") }
    if from > to { throw ValidationError("--from \(from) is after --to \(to)") }
  }

  func run() throws {
    let symbols = try names.load()
    let reader = try Traces.open(file)
    if let number = vcpu.flatMap(Int.init), number >= reader.header.vcpuCount {
      throw Failure("\(file): there is no vCPU \(number); the trace has \(reader.header.vcpuCount)")
    }
    let kinds = Set(kind.compactMap(EventKind.init(name:)))
    let only = vcpu.map { $0 == "host" ? Event.host : UInt16($0) ?? Event.host }
    var lines = LineBuffer()
    let batch = EventBatch()
    if from > 1 { reader.seek(toSeq: from) }
    while reader.nextBatch(into: batch), batch.firstSeq <= to {
      try batch.withCursor { cursor throws in
        while cursor.next() {
          guard cursor.seq >= from, cursor.seq <= to, kinds.isEmpty || kinds.contains(cursor.kind), only == nil || cursor.vcpu == only else { continue }
          let event = cursor.event
          try lines.add(format == .json ? event.json(symbols).text : event.line(symbols))
        }
      }
    }
    try lines.flush()
    Traces.report(reader.damage, path: file)
    if !reader.damage.isEmpty { try ExitStatus.incomplete.end() }
  }
}
