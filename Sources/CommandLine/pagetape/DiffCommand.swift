import ArgumentParser
import Inspection
import Reports
import TraceEvents
import TraceFile
import TraceFormat

struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Compare two traces: of each vCPU the first event that differs.",
    discussion: Help.text(
      """
      The events of each vCPU, and of the host, are compared in their own order: kinds and operands, not times and numbers. What an event answers \
      counts as the place of that event in its vCPU's order. Headers that differ are told and do not count. Exit status: 0 the same, 1 different, 2 bad \
      use, 3 no difference found, but a trace is damaged, incomplete or lost events, or one is too far ahead of the other on some vCPU.
      """,
      Help.Example("where two runs part", "pagetape diff good.tape bad.tape"),
      Help.Example("whatever they wrote", "pagetape diff --ignore data --ignore page-write good.tape bad.tape"),
      Help.Example("with the names of the guest's functions", "pagetape diff --symbols guest.elf good.tape bad.tape")))

  @Argument(help: "A trace; - is standard input.", completion: .file(extensions: ["tape"])) var a: String
  @Argument(help: "Another one.", completion: .file(extensions: ["tape"])) var b: String
  @Option(
    help: ArgumentHelp(
      "What does not count: data, rip, registers (their digests), cause, or a kind of event as in page-write; may be given several times.",
      valueName: "what"), completion: .list(Self.ignorable))
  var ignore: [String] = []
  @Option(help: "text or json.") var format = OutputFormat.text
  @OptionGroup var colors: ColorOptions
  @OptionGroup var names: SymbolOptions

  /// What --ignore takes.
  private static let ignorable = EventFingerprint.Part.allCases.map(\.rawValue) + EventKind.table.map(\.name)

  func validate() throws {
    if a == "-", b == "-" { throw ValidationError("only one of the two can be standard input") }
    for name in ignore where !Self.ignorable.contains(name) {
      throw ValidationError(
        "--ignore takes data, rip, registers, cause or a kind of event, not '\(name)'\(Suggestion.text(for: name, among: Self.ignorable))")
    }
  }

  func run() throws {
    let symbols = try names.load()
    let readers = [try Traces.open(a), try Traces.open(b)]
    var options = TraceComparison.Options()
    options.ignored = Set(ignore.compactMap(EventFingerprint.Part.init(rawValue:)))
    options.ignoredKinds = Set(ignore.compactMap(EventKind.init(name:)))
    let comparison = TraceComparison(readers[0], readers[1], options)
    let report = ComparisonReport(
      comparison, headers: HeaderDifference.all(readers[0].header, readers[1].header), names: (a, b),
      a: readers[0].events(comparison.numbersShown(of: .a)), b: readers[1].events(comparison.numbersShown(of: .b)), symbols: symbols)
    try Terminal.output(format == .json ? report.json.text + "\n" : report.text(style: colors.style))
    Traces.report(readers[0].damage, path: a)
    Traces.report(readers[1].damage, path: b)
    switch comparison.verdict {
    case .same: try ExitStatus.clean.end()
    case .differ: try ExitStatus.findings.end()
    case .undecided: try ExitStatus.incomplete.end()
    }
  }
}

extension TraceComparison {
  /// Reads both traces side by side, as far as it takes.
  fileprivate init(_ a: TraceReader, _ b: TraceReader, _ options: Options) {
    self.init(vcpuCounts: a.header.vcpuCount, b.header.vcpuCount, options: options)
    let batch = EventBatch()
    while let side = wants {
      let reader = side == .a ? a : b
      if reader.nextBatch(into: batch) { add(batch, from: side) } else { end(side, isComplete: reader.isComplete && reader.damage.isEmpty) }
    }
  }
}

extension TraceReader {
  /// The events of these numbers, where they can be read. Each block is read once.
  fileprivate func events(_ numbers: [UInt64]) -> [UInt64: Event] {
    var found: [UInt64: Event] = [:]
    var wanted = Set(numbers)
    let batch = EventBatch()
    while let first = wanted.min() {
      seek(toSeq: first)
      guard nextBatch(into: batch) else { break }
      batch.withCursor { cursor in
        while cursor.next() { if wanted.remove(cursor.seq) != nil { found[cursor.seq] = cursor.event } }
      }
      wanted.remove(first)
    }
    return found
  }
}
