import ArgumentParser
import Reports
import TraceFile

struct RepairCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repair", abstract: "Copy what is readable of a damaged or unfinished trace, with a new index.",
    discussion: Help.text(
      """
      What was lost stays lost, and the copy says so: its numbers have the same holes, and it is as incomplete as what was recorded.

      Exit status: 0 written, whatever was missing; 2 bad use or an I/O error; 3 where no trace can be found in the file.
      """,
      Help.Example("a recording that was killed", "pagetape repair broken.tape -o mended.tape"),
      Help.Example("what is left of it, judged", "pagetape repair broken.tape -o - | pagetape replay -")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Option(name: .shortAndLong, help: "Where the copy goes; - is standard output.", completion: .file(extensions: ["tape"])) var output: String
  @Flag(help: "Overwrite the output.") var force = false

  func run() throws {
    let reader = try Traces.open(file)
    guard !reader.isSameFile(as: output) else { throw Failure("\(output): cannot write a trace onto itself") }
    let summary = try WholeTrace.write(output, overwrites: force) { path in try reader.repair(to: path, force: true) }
    Traces.report(summary.damage, path: file)
    let name = output == "-" ? "standard output" : output
    let kept = "\(Count.text(summary.events, "event")) kept, \(Count.grouped(summary.lost)) known to be missing"
    try Terminal.summary("\(name): \(kept)", besides: output)
  }
}
