import ArgumentParser
import Reports
import Synthesizer
import TraceEvents
import TraceFile
import TraceFormat

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Write a synthetic trace that keeps every rule, of any size, without a guest.",
    discussion: Help.text(
      "Exit status: 0 written; 2 bad use or an I/O error.",
      Help.Example("ten million events of eight vCPUs", "pagetape generate --events 10000000 --vcpus 8 -o big.tape")))

  @Option(help: "How many events, at least.") var events: UInt64
  @Option(help: "How many vCPUs, 1 to 1024.") var vcpus = 4
  @Option(help: "The same seed gives the same events.") var seed: UInt64 = 1
  @Option(name: .shortAndLong, help: "Where the trace goes; - is standard output.", completion: .file(extensions: ["tape"])) var output: String
  @Flag(help: "Overwrite the output.") var force = false

  func validate() throws {
    guard (1...1024).contains(vcpus) else { throw ValidationError("--vcpus takes 1 to 1024, not \(vcpus)") }
  }

  func run() throws {
    var options = TraceWriter.Options()
    options.force = true
    options.flushInterval = 0
    let header = TraceHeader(
      vcpuCount: vcpus, memory: [Synthesizer<WriterSink>.memory], region: Synthesizer<WriterSink>.region, attribution: .everyWrite,
      properties: [
        .init(TraceHeader.Property.Name.recorderVersion, Version.producer), .init(TraceHeader.Property.Name.guestName, "synthetic"),
        .init(TraceHeader.Property.Name.seed, "\(seed)"),
      ])
    let (count, size) = try WholeTrace.write(output, overwrites: force) { path in
      let writer = try TraceWriter(path: path, header: header, options: options)
      let written = try Synthesizer(into: WriterSink(writer: writer), vcpuCount: vcpus, seed: seed).write(events)
      try writer.finish()
      return (written.events, writer.size)
    }
    let name = output == "-" ? "standard output" : output
    try Terminal.summary("\(name): \(Count.text(count, "event")), \(Count.bytes(size))", besides: output)
  }
}

/// A trace writer as the synthesizer sees it.
struct WriterSink: EventSink {
  let writer: TraceWriter

  func append(_ event: borrowing Event) throws -> UInt64 { writer.append(timed: event) }
}
