import Glibc
import TraceSuite

/// "Did you mean": the known name nearest to what was typed.
enum Suggestion {
  /// ` (did you mean "x"?)`, or nothing where no name is near.
  static func text(for typed: String, among names: [String]) -> String {
    text(nearest(to: typed, among: names, within: max(2, typed.count / 3)))
  }

  private static func text(_ near: String?) -> String { near.map { " (did you mean \"\($0)\"?)" } ?? "" }

  private static func nearest(to typed: String, among names: some Sequence<String>, within limit: Int) -> String? {
    let near = names.map { (name: $0, distance: distance(typed, $0)) }.min { $0.distance < $1.distance }
    return near.flatMap { $0.distance <= limit ? $0.name : nil }
  }

  /// The same for a file that is not there, among its neighbours; nothing where it is, or its folder is not.
  static func text(forFile path: String) -> String {
    guard path != "standard input", unsafe access(path, F_OK) != 0 else { return "" }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { String(path[...$0]) } ?? ""
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let names = ((try? Folder.names(in: folder.isEmpty ? "." : folder)) ?? []).lazy.filter { !$0.hasPrefix(".") }
    return text(nearest(to: name, among: names.prefix(10_000), within: max(2, name.count / 4)).map { folder + $0 })
  }

  /// The parser says which values an option takes, but not which was probably meant.
  static func added(toParserMessage message: String) -> String {
    var lines = message.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard lines[0].hasPrefix("Error: The value '"), let choices = lines[0].firstRange(of: "Please provide one of ") else { return message }
    let quoted = { (text: Substring) in text.split(separator: "'", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 } }
    guard let typed = quoted(lines[0][..<choices.lowerBound]).first?.element else { return message }
    // Many values stand in a list, a line each.
    let bullet = "  - "
    let listed = lines.dropFirst().prefix { $0.hasPrefix(bullet) }.map { String($0.dropFirst(bullet.count)) }
    if listed.isEmpty {
      lines[0] += text(for: String(typed), among: quoted(lines[0][choices.upperBound...]).map { String($0.element) })
    } else {
      let near = text(for: String(typed), among: listed)
      if !near.isEmpty { lines.insert(String(near.dropFirst()), at: 1 + listed.count) }
    }
    return lines.joined(separator: "\n")
  }

  /// Levenshtein's.
  static func distance(_ left: String, _ right: String) -> Int {
    let target = Array(right)
    var row = Array(0...target.count)
    for (index, character) in left.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in target.indices {
        let substituted = diagonal + (target[column] == character ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
      }
    }
    return row[target.count]
  }
}
