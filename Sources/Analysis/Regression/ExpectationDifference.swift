/// In what two expectations differ, line by line, told by what belongs together: the trace as a whole, then each finding.
public struct ExpectationDifference: Hashable, Sendable {
  /// Each begins with `- ` (was expected), `+ ` (came) or two spaces (what the next ones belong to).
  public let lines: [String]

  public var isEmpty: Bool { lines.isEmpty }

  /// So many lines are kept; the rest is counted.
  static let limit = 200

  /// Comments and known failures do not count.
  public init(expected: TraceExpectation, came: TraceExpectation) {
    var lines: [String] = []
    let (old, new) = (expected.sections, came.sections)
    let oldByRule = Dictionary(uniqueKeysWithValues: old.map { ($0.rule, $0.lines) })
    let newRules = Set(new.map(\.rule))
    var gone = old.filter { !newRules.contains($0.rule) }[...]
    for (index, section) in new.enumerated() {
      // What did not come stands where it stood: before the first finding that stood behind it.
      if let place = old.firstIndex(where: { $0.rule == section.rule }) {
        while let next = gone.first, old[..<place].contains(where: { $0.rule == next.rule }) {
          lines += next.lines.map { "- " + $0 }
          gone.removeFirst()
        }
      }
      guard let before = oldByRule[section.rule] else {
        lines += section.lines.map { "+ " + $0 }
        continue
      }
      let changed = Self.changes(before, section.lines)
      if changed.isEmpty { continue }
      if index > 0, let heading = section.lines.first { lines.append("  " + heading) }
      lines += changed
    }
    for section in gone { lines += section.lines.map { "- " + $0 } }
    self.lines = Self.cut(lines)
  }

  /// Everything that came, where nothing was expected.
  public init(new: TraceExpectation) { lines = Self.cut(new.sections.flatMap { $0.lines.map { "+ " + $0 } }) }

  private static func cut(_ lines: [String]) -> [String] {
    lines.count <= limit ? lines : Array(lines[..<limit]) + ["  … \(lines.count - limit) more lines"]
  }

  /// The lines of two lists that are not in a longest common subsequence of both.
  private static func changes(_ old: [String], _ new: [String]) -> [String] {
    if old == new { return [] }
    // What both begin and end with needs no table; what a table would be too large for is told as all gone and all new.
    var start = 0
    while start < min(old.count, new.count), old[start] == new[start] { start += 1 }
    var end = 0
    while end < min(old.count, new.count) - start, old[old.count - 1 - end] == new[new.count - 1 - end] { end += 1 }
    let (old, new) = (Array(old[start..<old.count - end]), Array(new[start..<new.count - end]))
    guard old.count * new.count <= 1 << 20 else { return old.map { "- " + $0 } + new.map { "+ " + $0 } }
    let width = new.count + 1
    var longest = [Int32](repeating: 0, count: (old.count + 1) * width)
    for i in old.indices.reversed() {
      for j in new.indices.reversed() {
        longest[i * width + j] =
          old[i] == new[j] ? longest[(i + 1) * width + j + 1] + 1 : max(longest[(i + 1) * width + j], longest[i * width + j + 1])
      }
    }
    var lines: [String] = []
    var (i, j) = (0, 0)
    while i < old.count || j < new.count {
      if i < old.count, j < new.count, old[i] == new[j] {
        (i, j) = (i + 1, j + 1)
      } else if i < old.count, j == new.count || longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
        lines.append("- " + old[i])
        i += 1
      } else {
        lines.append("+ " + new[j])
        j += 1
      }
    }
    return lines
  }
}
