import ArgumentParser
import Symbols

/// `--symbols`, for the verbs that print addresses.
struct SymbolOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Name addresses by the symbols of the guest: an ELF file, or text as nm writes it (System.map).", valueName: "file"),
    completion: .file())
  var symbols: String?

  @Option(
    help: ArgumentHelp(
      "With --symbols: what to add to a guest-physical address to get a symbol's. Not needed for an ELF file and for a Linux kernel's System.map.",
      valueName: "n"))
  var symbolsOffset: String?

  private var offset: UInt64? { symbolsOffset.flatMap { Numbers.value($0[...]) } }

  func validate() throws {
    try FileArgument.check(symbols, "--symbols")
    guard let symbolsOffset else { return }
    if symbols == nil { throw ValidationError("--symbols-offset goes with --symbols") }
    if offset == nil { throw ValidationError("--symbols-offset takes a number as in 0xffffffff80000000, not '\(symbolsOffset)'") }
  }

  /// What the file says; nil where none was named.
  func load() throws -> GuestSymbols? {
    guard let symbols else { return nil }
    do { return try SymbolFile(symbols).read(offset: offset) } catch let error as SymbolError { throw Failure("\(symbols): \(error)") }
  }
}

/// Numbers on the command line.
enum Numbers {
  /// Whether a word stands for a number, right or wrong: no symbol begins like one.
  static func isMeant(by word: Substring) -> Bool { word.first.map { $0.isASCII && $0.isNumber || $0 == "-" } ?? false }

  /// The number that a part of an argument has to be.
  static func expected(_ word: Substring, in argument: String) throws -> UInt64 {
    guard let value = value(word) else {
      throw ValidationError("'\(word)' in '\(argument)' is no number below 2^64: expected one as in 4096 or 0x1000")
    }
    return value
  }

  /// Hexadecimal with 0x, or decimal.
  static func value(_ text: Substring) -> UInt64? {
    text.hasPrefix("0x") || text.hasPrefix("0X") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }
}
