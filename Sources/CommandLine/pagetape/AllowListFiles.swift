import AllowLists
import Analyzer
import ArgumentParser
import Glibc
import OutputFiles
import Symbols
import TraceFile

/// `--allow` and `--write-allow`: lists of breaches that are expected.
struct AllowListOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Breaches that are expected: of which rule, by which function, of what. They are counted, and the verdict is on the others.", valueName: "list"),
    completion: .file(extensions: ["allow"]))
  var allow: String?
  @Option(
    help: ArgumentHelp("Write the list of what was found, with what --allow names, to be reviewed.", valueName: "list"),
    completion: .file(extensions: ["allow"]))
  var writeAllow: String?
  @Flag(help: "With --write-allow: overwrite the list.") var force = false

  var isGiven: Bool { allow != nil || writeAllow != nil }

  func validate() throws {
    if force, writeAllow == nil { throw ValidationError("--force goes with --write-allow") }
    if writeAllow == "-" { throw ValidationError("--write-allow takes a file's name, not -: on standard output is the verdict") }
  }

  /// The list that `--allow` names, and the tally to judge with; nil where neither is wanted.
  func load(_ symbols: GuestSymbols?) throws -> (text: AllowListText, tally: BreachTally)? {
    guard isGiven else { return nil }
    guard let allow else { return (AllowListText(), BreachTally()) }
    let bytes = try WholeFile.read(allow, limit: AllowListText.sizeLimit)
    do {
      let text = try AllowListText(parsing: bytes)
      return (text, BreachTally(allowing: try text.resolved(name: allow, symbols: symbols)))
    } catch {
      let near = error.unknownRule.map { Suggestion.text(for: $0, among: RuleArgument.names) + "; 'pagetape rules' lists them" } ?? ""
      let hint = symbols == nil && error.isForLackOfSymbols ? "; --symbols does" : ""
      throw Failure("\(allow): \(error)\(near)\(hint)")
    }
  }

  /// Fails where the list cannot be written, before anything is judged.
  func begin(_ reader: TraceReader) throws -> OutputFile? {
    guard let writeAllow else { return nil }
    if reader.isSameFile(as: writeAllow) { throw Failure("\(writeAllow): cannot write a list onto the trace") }
    return try OutputFile(writeAllow, overwrites: force)
  }
}

/// Small files that a user names.
enum WholeFile {
  static func read(_ path: String, limit: Int) throws -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure("\(path): cannot open: \(reason)\(Suggestion.text(forFile: path))") }
    defer { close(descriptor) }
    return try read(descriptor, path, limit: limit)
  }

  /// What is left to read; an error names `path`, and what there may be so much of.
  static func read(_ descriptor: Int32, _ path: String, limit: Int, of what: String = "bytes") throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      // SAFETY: as many bytes as the array has.
      let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Failure("\(path): cannot read: \(reason)") }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= limit else { throw Failure("\(path): expected at most \(limit) \(what)") }
    }
  }

  /// What errno says. SAFETY: strerror's string is copied at once.
  static var reason: String { unsafe String(cString: strerror(errno)) }
}
