import ArgumentParser
import Reports
import Runner

/// A moment of a kernel's run: `boot`, `@SYMBOL` or `@ADDRESS`, or a text on its console.
enum MomentArgument {
  case boot
  case address(UInt64)
  case symbol(String)
  case console(String)

  static let explanation =
    "@SYMBOL or @ADDRESS, when the instruction there is about to be executed; or a text, when the console has shown it (console:TEXT where it would be "
    + "taken for one of the others)"

  private static let textMark = "console:"

  init(_ argument: String) throws {
    if argument == "boot" {
      self = .boot
    } else if argument.hasPrefix("@") {
      self = try Self.place(argument)
    } else {
      let text = argument.hasPrefix(Self.textMark) ? String(argument.dropFirst(Self.textMark.count)) : argument
      guard !text.isEmpty else { throw ValidationError("'\(argument)' is no moment: expected boot, @SYMBOL, @ADDRESS or a text that the console shows") }
      self = .console(text)
    }
  }

  private static func place(_ argument: String) throws -> MomentArgument {
    let place = argument.dropFirst()
    guard !place.isEmpty else { throw ValidationError("'@' is no moment: expected a symbol or an address behind it") }
    guard Numbers.isMeant(by: place) else { return .symbol(String(place)) }
    let address = try Numbers.expected(place, in: argument)
    guard isCanonical(address) else {
      throw ValidationError("no instruction is at \(Hex.text(address)), in '\(argument)': bits 47 to 63 of an address are alike")
    }
    return .address(address)
  }

  /// Whether a vCPU can be at this guest-virtual address: with page tables of four levels, which are all that kernels run their code by.
  private static func isCanonical(_ address: UInt64) -> Bool { Int64(bitPattern: address) >> 47 == 0 || Int64(bitPattern: address) >> 47 == -1 }

  var needsSymbols: Bool {
    if case .symbol = self { true } else { false }
  }

  func moment(_ symbols: NamedSymbols?) throws -> Moment {
    switch self {
    case .boot: return .start
    case .address(let address): return .address(address)
    case .console(let text): return .console(text)
    case .symbol(let name):
      guard let symbols else { throw Failure("'@\(name)' needs --symbols") }
      return .address(try SymbolArgument(name, in: symbols).address)
    }
  }
}

extension Moment {
  /// An address of the half where user mode is, and a kernel's first instructions alone.
  var lowAddress: UInt64? {
    if case .address(let address) = self, address >> 47 == 0 { address } else { nil }
  }
}
