/// A JSON value that keeps the order of its keys, so that the same verdict is always the same bytes.
public enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case number(UInt64)
  case signed(Int64)
  /// Finite; printed with three decimals.
  case decimal(Double)
  case string(String)
  case array([JSON])
  case object([(key: String, value: JSON)])

  /// An address or a bit pattern: JSON numbers lose bits past 2^53, so these are strings.
  public static func hex(_ value: UInt64) -> JSON { .string(Hex.text(value)) }

  /// A count as long as it is one; a value past 2^53 (a negative status, say) keeps its bits as a hex string.
  public static func exact(_ value: UInt64) -> JSON { value <= 1 << 53 ? .number(value) : .hex(value) }

  /// The value where there is one, else null.
  public static func optional<T>(_ value: T?, _ wrap: (T) -> JSON) -> JSON { value.map(wrap) ?? .null }

  public static func == (left: JSON, right: JSON) -> Bool { left.text == right.text }

  /// One line, no spaces but after colons and commas.
  public var text: String {
    var out = ""
    write(to: &out)
    return out
  }

  /// Several lines, for people: what is short stays on one.
  public var indentedText: String {
    var out = ""
    write(to: &out, indent: 0)
    return out
  }

  private func write(to out: inout String, indent: Int) {
    let open: (String, String)
    switch self {
    case .array(let values) where !values.isEmpty: open = ("[", "]")
    case .object(let members) where !members.isEmpty: open = ("{", "}")
    default: return write(to: &out)
    }
    let line = text
    guard line.utf8.count + indent > 120 else { return out += line }
    let margin = String(repeating: " ", count: indent + 2)
    var isFirst = true
    func start() {
      out += isFirst ? open.0 : ","
      out += "\n" + margin
      isFirst = false
    }
    switch self {
    case .array(let values):
      for value in values {
        start()
        value.write(to: &out, indent: indent + 2)
      }
    case .object(let members):
      for member in members {
        start()
        Self.write(string: member.key, to: &out)
        out += ": "
        member.value.write(to: &out, indent: indent + 2)
      }
    default: break
    }
    out += "\n" + String(repeating: " ", count: indent) + open.1
  }

  private func write(to out: inout String) {
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .number(let value): out += String(value)
    case .signed(let value): out += String(value)
    case .decimal(let value): out += Self.decimalText(value)
    case .string(let value): Self.write(string: value, to: &out)
    case .array(let values):
      out += "["
      for (index, value) in values.enumerated() {
        if index > 0 { out += ", " }
        value.write(to: &out)
      }
      out += "]"
    case .object(let members):
      out += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { out += ", " }
        Self.write(string: member.key, to: &out)
        out += ": "
        member.value.write(to: &out)
      }
      out += "}"
    }
  }

  static func decimalText(_ value: Double) -> String {
    let thousandths = Int64((value * 1000).rounded())
    let fraction = String(thousandths.magnitude % 1000)
    let sign = thousandths < 0 ? "-" : ""
    return "\(sign)\(thousandths.magnitude / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
  }

  private static func write(string: String, to out: inout String) {
    out += "\""
    // Most need no escape.
    guard string.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) else {
      out += string
      return out += "\""
    }
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f: out += "\\u" + Hex.padded(UInt64(scalar.value), digits: 4)
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}

/// Hexadecimal as this project writes it: lower case, `0x` in front.
public enum Hex {
  public static func text(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  static func padded(_ value: UInt64, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  /// Bytes, two digits each, without spaces.
  public static func text(_ bytes: some Sequence<UInt8>) -> String {
    var digits: [UInt8] = []
    digits.reserveCapacity(2 * bytes.underestimatedCount)
    for byte in bytes {
      digits.append(digit(byte >> 4))
      digits.append(digit(byte & 15))
    }
    return String(decoding: digits, as: UTF8.self)
  }

  private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10 }
}
