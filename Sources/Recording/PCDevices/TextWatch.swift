/// Looks for a text in bytes that come piece by piece.
public struct TextWatch: Hashable, Sendable {
  private let text: [UInt8]
  private var recent: [UInt8] = []
  public private(set) var isFound = false

  /// A text that is not empty.
  public init(_ text: String) { self.text = Array(text.utf8) }

  /// Takes a byte in; true where the text ends with it for the first time.
  public mutating func take(_ byte: UInt8) -> Bool {
    guard !isFound, !text.isEmpty else { return false }
    if recent.count == text.count { recent.removeFirst() }
    recent.append(byte)
    isFound = recent == text
    return isFound
  }
}
