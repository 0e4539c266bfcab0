/// How text looks: colours on a terminal, none elsewhere.
public struct TextStyle: Sendable {
  public var isColoured: Bool

  public init(isColoured: Bool) { self.isColoured = isColoured }

  public static let plain = TextStyle(isColoured: false)

  public func good(_ text: String) -> String { paint(text, "32;1") }
  public func bad(_ text: String) -> String { paint(text, "31;1") }
  public func caution(_ text: String) -> String { paint(text, "33;1") }

  private func paint(_ text: String, _ code: String) -> String { isColoured ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }

  /// Breaks text at spaces, at most 100 columns.
  static func wrap(_ text: String, first: String, rest: String) -> [String] {
    var lines: [String] = []
    var line = first
    var isEmpty = true
    for word in text.split(separator: " ") {
      if !isEmpty, line.count + 1 + word.count > 100 {
        lines.append(line)
        line = rest
        isEmpty = true
      }
      line += isEmpty ? String(word) : " " + word
      isEmpty = false
    }
    lines.append(line)
    return lines
  }
}

/// Numbers for people.
public enum Count {
  /// `1,234,567`.
  public static func grouped(_ value: UInt64) -> String {
    var out = ""
    for (index, digit) in String(value).reversed().enumerated() {
      if index > 0, index % 3 == 0 { out.append(",") }
      out.append(digit)
    }
    return String(out.reversed())
  }

  /// `1 event`, `2 events`.
  public static func text(_ value: UInt64, _ noun: String) -> String { "\(grouped(value)) \(noun)\(value == 1 ? "" : "s")" }

  /// `1 child`, `2 children`.
  static func words(_ value: Int, _ one: String, _ many: String) -> String { "\(grouped(UInt64(value))) \(value == 1 ? one : many)" }

  /// `1.5 MiB`.
  public static func bytes(_ value: UInt64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var scaled = Double(value)
    var unit = 0
    while scaled >= 1024, unit < units.count - 1 {
      scaled /= 1024
      unit += 1
    }
    return unit == 0 ? text(value, "byte") : "\(decimal(scaled)) \(units[unit])"
  }

  /// One digit after the point.
  public static func decimal(_ value: Double) -> String {
    let tenths = Int64((value * 10).rounded())
    return "\(tenths / 10).\((tenths % 10).magnitude)"
  }
}

extension String {
  /// Spaces behind, up to a width; one at least.
  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }

  /// Spaces before, up to a width.
  func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }

  /// Without control characters: a stranger's trace may hold escape sequences for the terminal.
  package var printable: String {
    String(String.UnicodeScalarView(unicodeScalars.map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) ? "\u{fffd}" : $0 }))
  }

  /// The same, line by line.
  package var printableLines: String { split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable }.joined(separator: "\n") }
}
