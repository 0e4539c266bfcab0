import ArgumentParser
import Runner

/// A moment of a kernel's run: `boot`, `@SYMBOL` or `@ADDRESS`, or a text on its console.
enum MomentArgument: ExpressibleByArgument {
  case boot
  case address(UInt64)
  case symbol(String)
  case console(String)

  static let explanation = "@SYMBOL or @ADDRESS, when the instruction there is about to be executed; or a text, when the console has shown it"

  init?(argument: String) {
    guard !argument.isEmpty, argument != "@" else { return nil }
    if argument == "boot" {
      self = .boot
    } else if argument.first != "@" {
      self = .console(argument)
    } else if let address = Numbers.value(argument.dropFirst()) {
      self = .address(address)
    } else {
      self = .symbol(String(argument.dropFirst()))
    }
  }

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
