/// An instruction, or memory, as an allow-list has it.
public enum AllowListOperand: Hashable, Sendable {
  /// `*`
  case anywhere
  /// `-`: the trace does not say.
  case unknown
  /// `0x1000`, `0x1000+0x20`: not empty, and within 2^64.
  case addresses(ClosedRange<UInt64>)
  case symbol(Name)

  /// `name`, `name[module]`; with `+OFFSET` one byte of it, with `+OFFSET+LENGTH` some.
  public struct Name: Hashable, Sendable {
    public var symbol: String
    public var module: String?
    /// Relative to the symbol's start; nil for all of it.
    public var part: ClosedRange<UInt64>?

    public init(symbol: String, module: String? = nil, part: ClosedRange<UInt64>? = nil) {
      self.symbol = symbol
      self.module = module
      self.part = part
    }
  }

  /// Nil for what is none of these.
  init?(_ field: AllowListField) {
    let text = field.text
    if !field.isQuoted {
      if text == "*" {
        self = .anywhere
        return
      }
      if text == "-" {
        self = .unknown
        return
      }
      // Mistakes, more likely than names; a name may stand in quotes.
      if text.first == "*" || text.first == "-" || text.contains("\"") { return nil }
    }
    var parts = (field.isQuoted ? field.suffix : text).split(separator: "+", omittingEmptySubsequences: false)
    if !field.isQuoted, text.utf8.first.map({ (0x30...0x39).contains($0) }) == true {
      guard parts.count <= 2, let start = Self.number(parts[0]), let range = Self.range(start, parts.count == 2 ? Self.number(parts[1]) : 1) else { return nil }
      self = .addresses(range)
      return
    }
    // A name may hold a plus itself, as those of C++ operators do.
    var numbers: [UInt64] = []
    while parts.count > 1, numbers.count < 2, let number = Self.number(parts[parts.count - 1]) {
      numbers.insert(number, at: 0)
      parts.removeLast()
    }
    var name = parts.joined(separator: "+")
    var module: String?
    if name.hasSuffix("]"), let open = name.lastIndex(of: "["), name[open...].count > 2, field.isQuoted || open > name.startIndex {
      module = String(name[open...].dropFirst().dropLast())
      name = String(name[..<open])
    }
    if field.isQuoted {
      guard name.isEmpty else { return nil }
      name = text
    }
    guard !name.isEmpty else { return nil }
    var part: ClosedRange<UInt64>?
    if let offset = numbers.first {
      guard let range = Self.range(offset, numbers.count == 2 ? numbers[1] : 1) else { return nil }
      part = range
    }
    self = .symbol(Name(symbol: name, module: module, part: part))
  }

  /// Hexadecimal with 0x, or decimal.
  private static func number(_ text: Substring) -> UInt64? {
    guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) else { return nil }
    return text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }

  private static func range(_ start: UInt64, _ length: UInt64?) -> ClosedRange<UInt64>? {
    guard let length, length > 0 else { return nil }
    let (last, overflow) = start.addingReportingOverflow(length - 1)
    return overflow ? nil : start...last
  }

  /// As it is written.
  public var text: String {
    switch self {
    case .anywhere: "*"
    case .unknown: "-"
    case .addresses(let range): Self.text(range)
    case .symbol(let name): Self.quoted(name.symbol) + (name.module.map { "[\($0)]" } ?? "") + (name.part.map { "+" + Self.text($0) } ?? "")
    }
  }

  private static func text(_ range: ClosedRange<UInt64>) -> String {
    hex(range.lowerBound) + (range.lowerBound == range.upperBound ? "" : "+" + hex(range.upperBound - range.lowerBound &+ 1))
  }

  private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  /// A name that would be read as something else stands in quotes.
  private static func quoted(_ name: String) -> String {
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
        UInt8(ascii: "."), UInt8(ascii: "$"), UInt8(ascii: "@"), UInt8(ascii: ":"):
        true
      default: false
      }
    }
    return isPlain && name.utf8.first.map { !(0x30...0x39).contains($0) } == true ? name : "\"\(name)\""
  }

  /// Whether a symbol of this name can be written at all.
  static func canName(_ symbol: String, _ module: String?) -> Bool {
    let isWritable = { (text: String) in !text.isEmpty && !text.unicodeScalars.contains { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) || $0 == "\"" } }
    return isWritable(symbol) && (module.map { isWritable($0) && !$0.contains { "[]#+ ".contains($0) } } ?? true)
  }
}

/// A word of a line: what stands between spaces, or in quotes, with what follows the quotes.
struct AllowListField {
  var text: String
  var isQuoted = false
  /// Behind the closing quote, up to a space.
  var suffix = ""
}
