/// Which names are meant: one with `*` or `?` in it must match the whole name, any other must occur in it.
public struct NamePattern: Hashable, Sendable {
  private let pattern: [UInt8]
  private let isGlob: Bool

  public init(_ text: String) {
    isGlob = text.contains { $0 == "*" || $0 == "?" }
    pattern = Array((isGlob ? text : "*\(text)*").utf8)
  }

  /// `*` stands for any run of bytes, slashes too, `?` for one.
  public func matches(_ name: String) -> Bool {
    let name = Array(name.utf8)
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
