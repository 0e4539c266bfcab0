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
    if matches(path[...]) { return true }
    guard isGlob, !pattern.contains(UInt8(ascii: "/")), let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return false }
    return matches(path[(slash + 1)...])
  }

  private func matches(_ bytes: ArraySlice<UInt8>) -> Bool {
    let name = Array(bytes)
    var (at, inside) = (0, 0)
    // Where to go on when what follows the last star did not fit: one byte further.
    var star: (pattern: Int, name: Int)?
    while inside < name.count {
      if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
        star = (at, inside)
        at += 1
      } else if at < pattern.count, pattern[at] == name[inside] || pattern[at] == UInt8(ascii: "?") && isGlob {
        (at, inside) = (at + 1, inside + 1)
      } else if let last = star {
        star = (last.pattern, last.name + 1)
        (at, inside) = (last.pattern + 1, last.name + 1)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
