import ArgumentParser
import Inspection
import Reports
import Symbols
import TraceEvents
import TraceFile
import TraceFormat

struct BlameCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "blame", abstract: "Show who last wrote guest memory, and who before.",
    discussion: Help.text(
      """
      ADDRESS is guest-physical, hexadecimal with 0x or decimal; 0x1000+8 is 8 bytes, up to 4096, and one byte is meant where no length is given. With \
      --symbols it may be a symbol: jiffies is all of it, and jiffies+0x4, as the outputs have it, one byte of it; jiffies+0x4+2 is 2 bytes; kernel-text \
      is a kernel's code. The trace is read backwards, and no further than --last writes; --count reads on to its start. Exit status: 0, also where no \
      write is found; 2 where the trace has no such event, or the file no such symbol; 3 where events are missing between the write and --at.
      """,
      Help.Example("who wrote these eight bytes last, and before", "pagetape blame boot.tape 0x251040+8"),
      Help.Example("who had written them by event 4711", "pagetape blame boot.tape 0x251040+8 --at 4711"),
      Help.Example("who wrote a variable of the guest", "pagetape blame boot.tape jiffies --symbols vmlinux")))

  @Argument(help: "The trace; - is standard input.", completion: .file(extensions: ["tape"])) var file: String
  @Argument(help: ArgumentHelp("What was written.", valueName: "address")) var address: String
  @Option(help: ArgumentHelp("Look back from right after this event; the last one where not given.", valueName: "seq")) var at: UInt64?
  @Option(help: ArgumentHelp("How many writes are shown at most, 1 to 10000.", valueName: "n")) var last = 20
  @Flag(help: "Read on to the start of the trace, to say how many writes there are.") var count = false
  @Option(help: "text or json.") var format = OutputFormat.text
  @OptionGroup var colors: ColorOptions
  @OptionGroup var names: SymbolOptions

  func validate() throws {
    let mayBeName = names.symbols != nil && !Numbers.isMeant(by: address[...])
    guard mayBeName || GuestBytes(argument: address) != nil else { throw ValidationError(Self.expected(address)) }
    guard (1...10_000).contains(last) else { throw ValidationError("--last takes 1 to 10000, not \(last)") }
  }

  private static func expected(_ address: String) -> String {
    "'\(address)' is no address; expected one as in 0x1000, 4096 or 0x1000+8, of 1 to \(GuestBytes.longest) bytes below 2^52"
  }

  /// The address as it was given, by number or by name.
  private func bytes(_ symbols: GuestSymbols?) throws -> GuestBytes {
    if let bytes = GuestBytes(argument: address) { return bytes }
    guard let symbols else { throw Failure(Self.expected(address)) }
    let range = try SymbolArgument(address, in: NamedSymbols(symbols: symbols, file: names.symbols ?? "")).bytes(limit: GuestBytes.longest)
    guard let bytes = GuestBytes(start: range.start, length: range.length) else { throw Failure(Self.expected(address)) }
    return bytes
  }

  func run() throws {
    let symbols = try names.load()
    let bytes = try bytes(symbols)
    let reader = try Traces.open(file)
    guard let end = reader.numbers?.upperBound else { throw Failure("\(file): the trace holds no events", .incomplete) }
    let seq = at ?? end
    try reader.check(seq, path: file)
    let history = reader.history(of: bytes, through: seq, limit: last, countsAll: count, isLast: seq == end)
    let attribution = reader.header.attribution
    switch format {
    case .text: try Terminal.output(history.text(name: file, attribution: attribution, style: colors.style, symbols: symbols))
    case .json: try Terminal.output(history.json(attribution: attribution, symbols: symbols).text + "\n")
    }
    Traces.report(reader.damage, path: file)
    if history.doubts(attribution).contains(where: \.isOfMissing) { try ExitStatus.incomplete.end() }
  }
}

extension WriteHistory.Doubt {
  fileprivate var isOfMissing: Bool {
    if case .missing = self { true } else { false }
  }
}

extension GuestBytes {
  /// An address, and a length where there is a plus: `0x1000+8`.
  fileprivate init?(argument: String) {
    let parts = argument.split(separator: "+", omittingEmptySubsequences: false)
    guard parts.count <= 2, let start = Numbers.value(parts[0]), let length = parts.count == 2 ? Numbers.value(parts[1]) : 1 else { return nil }
    self.init(start: start, length: length)
  }
}
