/// Why a text is no allow-list, or cannot be used as one.
public struct AllowListError: Error, Hashable, Sendable, CustomStringConvertible {
  /// From 1; nil where it is not a line's fault.
  public let line: Int?
  /// What was expected and what was seen, without a full stop.
  public let detail: String
  /// What was meant for a rule, where it is none.
  public let unknownRule: String?
  /// It holds a name, and there were no symbols.
  public let isForLackOfSymbols: Bool

  init(line: Int?, _ detail: String, unknownRule: String? = nil, isForLackOfSymbols: Bool = false) {
    self.line = line
    self.detail = detail
    self.unknownRule = unknownRule
    self.isForLackOfSymbols = isForLackOfSymbols
  }

  public var description: String { (line.map { "line \($0): " } ?? "") + detail }
}
