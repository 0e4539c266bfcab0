internal import Analyzer

/// Which files are meant. A text must occur in the path. One with `*` or `?` in it must match the whole path, or, where it has no slash, the file's name.
public struct NamePattern: Hashable, Sendable {
  private let pattern: [UInt8]
  private let isGlob: Bool

  public init(_ text: String) {
    isGlob = text.contains { $0 == "*" || $0 == "?" }
    pattern = Array((isGlob ? text : "*\(text)*").utf8)
  }

  /// `*` stands for any run of bytes, slashes too, `?` for one.
  public func matches(_ path: String) -> Bool {
    let path = Array(path.utf8)
    if Wildcard.matches(pattern, path) { return true }
    guard isGlob, !pattern.contains(UInt8(ascii: "/")), let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return false }
    return Wildcard.matches(pattern, Array(path[(slash + 1)...]))
  }
}
