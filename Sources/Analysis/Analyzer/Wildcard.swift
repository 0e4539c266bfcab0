/// Patterns over bytes: `*` stands for any run of them, `?` for one.
package enum Wildcard {
  /// Whether the pattern fits the whole of `bytes`. In steps of at most one length times the other, however many stars there are: patterns come in files of
  /// strangers.
  package static func matches(_ pattern: [UInt8], _ bytes: [UInt8]) -> Bool {
    var (at, inside) = (0, 0)
    // Where to go on when what follows the last star did not fit: one byte further.
    var star: (pattern: Int, bytes: Int)?
    while inside < bytes.count {
      if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
        star = (at, inside)
        at += 1
      } else if at < pattern.count, pattern[at] == bytes[inside] || pattern[at] == UInt8(ascii: "?") {
        (at, inside) = (at + 1, inside + 1)
      } else if let last = star {
        star = (last.pattern, last.bytes + 1)
        (at, inside) = (last.pattern + 1, last.bytes + 1)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
