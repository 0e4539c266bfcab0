import Inspection
import Reports
import Symbols
import TraceEvents

/// Symbols, and the file that they are of.
struct NamedSymbols {
  var symbols: GuestSymbols
  var file: String
}

/// Guest memory by a symbol's name: `name`, all of it; `name+OFFSET`, one byte, as the outputs write it; `name+OFFSET+LENGTH`. `kernel-text` is a name for
/// all of a kernel's code.
struct SymbolArgument {
  /// Linear, of the first byte.
  let address: UInt64
  /// At least 1.
  let length: UInt64
  private let argument: String
  private let name: String
  private let source: NamedSymbols

  init(_ argument: String, in source: NamedSymbols) throws {
    let file = source.file
    // A name may hold a plus itself, as those of C++ operators do.
    let parts = argument.split(separator: "+", omittingEmptySubsequences: false)
    let numbers = parts.dropFirst().suffix(2).reversed().prefix { Numbers.value($0) != nil }.reversed().compactMap(Numbers.value)
    let name = parts.dropLast(numbers.count).joined(separator: "+")
    let (start, extent) = name == Self.kernelText ? try Self.textExtent(source) : try Self.extent(of: name, source)
    let (offset, length) = numbers.isEmpty ? (0, extent) : (numbers[0], numbers.count == 2 ? numbers[1] : 1)
    guard offset < extent, length <= extent - offset else {
      throw Failure("\(file): '\(name)' has \(Count.text(extent, "byte")): \(argument) is not among them")
    }
    guard length > 0 else { throw Failure("'\(argument)' has no bytes: ask for 1 byte or more") }
    address = start &+ offset
    self.length = length
    self.argument = argument
    self.name = name
    self.source = source
  }

  private static let kernelText = "kernel-text"

  /// Between the labels that a kernel's linker script puts around its code.
  private static func textExtent(_ source: NamedSymbols) throws -> (start: UInt64, length: UInt64) {
    let (start, end) = (try extent(of: "_stext", source).start, try extent(of: "_etext", source).start)
    guard start < end else { throw Failure("\(source.file): no code lies between _stext, \(Hex.text(start)), and _etext, \(Hex.text(end))") }
    return (start, end - start)
  }

  private static func extent(of name: String, _ source: NamedSymbols) throws -> (start: UInt64, length: UInt64) {
    let (symbols, file) = (source.symbols, source.file)
    let found = symbols.table.symbols(named: name)
    guard let symbol = found.first else {
      let near = Suggestion.text(for: name, among: symbols.table.allNames.lazy.filter { $0.first == name.first }.prefix(20_000).map { $0 })
      throw Failure("\(file): there is no symbol '\(name)'\(near)")
    }
    guard found.allSatisfy({ $0.address == symbol.address }) else {
      let places = found.prefix(8).map { Hex.text($0.address) }.joined(separator: ", ")
      throw Failure("\(file): \(found.count) symbols are called '\(name)', at \(places)\(found.count > 8 ? " and elsewhere" : ""): give the address of one")
    }
    return (symbol.address, found.map(symbols.table.extent).max() ?? 1)
  }

  /// Where it is in guest-physical memory; an error where it has more than `limit` bytes.
  func bytes(limit: UInt64) throws -> GuestRange {
    let (symbols, file) = (source.symbols, source.file)
    guard length <= limit else {
      throw Failure("\(file): '\(argument)' has \(Count.text(length, "byte")); up to \(limit) can be asked for, as in \(name)+0+\(limit)")
    }
    guard let start = symbols.gpa(of: address), symbols.gpa(of: address &+ (length - 1)) == start &+ (length - 1) else {
      throw Failure("\(file): '\(name)' is at \(Hex.text(address)), and nothing says where in guest-physical memory that is; --symbols-offset does")
    }
    return GuestRange(start: start, length: length)
  }
}
