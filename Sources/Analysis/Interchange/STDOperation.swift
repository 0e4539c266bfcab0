/// What an event of an STD trace does.
public enum STDOperation: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case read, write, acquire, release, fork, join
  /// The bounds of a transaction: counted as events, they order nothing.
  case begin, end

  /// As it stands in the file, before the parenthesis.
  public var name: StaticString {
    switch self {
    case .read: "r"
    case .write: "w"
    case .acquire: "acq"
    case .release: "rel"
    case .fork: "fork"
    case .join: "join"
    case .begin: "begin"
    case .end: "end"
    }
  }
}

/// Why a text is not an STD trace: the first line that is malformed.
public struct STDError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Counted from 1.
  public let line: UInt64
  public let expected: String
  /// The line, or its beginning; what is not printable is replaced.
  public let observed: String

  init(line: UInt64, expected: String, observed: UnsafeRawBufferPointer) {
    self.line = line
    self.expected = expected
    let shown = 60
    // SAFETY: read at once, within its bounds.
    let text = unsafe String(decoding: observed.prefix(shown), as: UTF8.self)
    let printable = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "\u{fffd}" : $0 }))
    self.observed = printable + (observed.count > shown ? "…" : "")
  }

  public var description: String { "line \(line): expected \(expected), not '\(observed)'" }
}
