import ArgumentParser
import Interchange
import TraceFile
import TraceFormat

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Print a trace in another analyzer's format.",
    discussion: Help.text(
      """
      std is RAPID's text format: a vCPU is the thread T and its number, 8 bytes of memory the variable V and their address, the location the number of the \
      event. What one vCPU waits for another to do is a fork and a join of a thread that does nothing else. Exit status: 0, or 3 where the trace is \
      damaged: edges that are lost make no order.
      """,
      Help.Example("hand a trace to a race detector that reads RAPID's format", "pagetape export --format std boot.tape > boot.std")))

  enum Format: String, ExpressibleByArgument, CaseIterable { case std }

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(help: "std.") var format = Format.std

  func run() throws {
    let reader = try Traces.open(file)
    var pass = ExportPass(TraceExport(vcpuCount: reader.header.vcpuCount))
    reader.run(&pass)
    try pass.end()
    Traces.report(reader.damage, path: file)
    if !reader.damage.isEmpty { try ExitStatus.incomplete.end() }
  }
}

/// Prints as it goes: what is kept is which messages were sent.
private struct ExportPass: ~Copyable, TracePass {
  private var export: TraceExport
  private var failure: (any Error)?

  init(_ export: consuming TraceExport) { self.export = export }

  /// Nobody reads any more.
  var isDone: Bool { failure != nil }

  mutating func consume(_ batch: EventBatch) {
    export.consume(batch)
    do { try export.flush { try Terminal.output($0) } } catch { failure = error }
  }

  mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    export.noteHole(lostEvents: lostEvents, firstSeq: firstSeq, lastSeq: lastSeq, damage: damage)
  }

  func end() throws {
    if let failure { throw failure }
  }
}
