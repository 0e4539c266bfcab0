/// The parser puts a verb's usage on one line, however long.
enum UsageLines {
  private static let width = 80

  /// The same text, with usage that is too wide broken between options and set in below the first.
  static func wrapped(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let isUsage = line.hasPrefix("USAGE: ") || line.hasPrefix("Usage: ")
      return isUsage && line.count > width ? broken(line) : String(line)
    }.joined(separator: "\n")
  }

  private static func broken(_ line: Substring) -> String {
    let pieces = pieces(line)
    // What stands before the first option or value: "USAGE: pagetape VERB".
    let head = pieces.prefix { !$0.hasPrefix("[") && !$0.hasPrefix("<") && !$0.hasPrefix("-") }.joined(separator: " ")
    let margin = String(repeating: " ", count: head.count)
    var lines = [head]
    for piece in pieces.dropFirst(head.split(separator: " ").count) {
      if lines[lines.count - 1].count + 1 + piece.count > width { lines.append(margin) }
      lines[lines.count - 1] += " " + piece
    }
    return lines.joined(separator: "\n")
  }

  /// What must stay on one line: what is in brackets, and an option with its value.
  private static func pieces(_ line: Substring) -> [String] {
    var pieces: [String] = []
    var depth = 0
    for word in line.split(separator: " ") {
      if depth > 0 || word.hasPrefix("<") && pieces.last?.hasPrefix("-") == true {
        pieces[pieces.count - 1] += " " + word
      } else {
        pieces.append(String(word))
      }
      depth += word.count { $0 == "[" } - word.count { $0 == "]" }
    }
    return pieces
  }
}
