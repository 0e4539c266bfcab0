internal import Analyzer
internal import Reports

extension TraceExpectation {
  /// The first line of every such file: what it is, and the version of the format.
  static let signature = "pagetape expectation 1"

  /// The file's content, one fact a line; the same expectation is always the same text.
  public var text: String {
    var lines = [Self.signature] + comments.map { $0.isEmpty ? "#" : "# " + $0 }
    if let knownFailure { lines.append(Self.fact("known-failure", knownFailure)) }
    for section in sections { lines += (section.rule == nil ? [] : [""]) + section.lines }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What belongs together, and is compared as one.
  struct Section {
    /// Nil for what is of the whole trace.
    var rule: String?
    var lines: [String]
  }

  /// What is compared: everything but the comments and what is said of a known failure.
  var sections: [Section] {
    var head = [Self.fact("verdict", outcome.rawValue)]
    if let recorded { head.append(Self.fact("recorded", recorded)) }
    if outcome != .unreadable { head.append(Self.fact("events", String(events))) }
    if lost > 0 { head.append(Self.fact("lost", String(lost))) }
    if let digest { head.append(Self.fact("digest", digest)) }
    if let original { head.append(Self.fact("original", original)) }
    head += damage.map { Self.fact("damage", $0) }
    if let search { head.append(Self.fact("searched", "\(search.tried) orders, \(search.skipped) not, window \(search.window)")) }
    head += allowed.map { Self.fact("allowed", $0) }
    head += undecided.map { Self.fact("undecided", $0) }
    return [Section(rule: nil, lines: head)] + findings.map(\.section)
  }

  /// A fact of the whole trace.
  static func fact(_ key: String, _ value: String) -> String { padded(key, to: 11) + value }

  fileprivate static func padded(_ key: String, to width: Int) -> String { key + String(repeating: " ", count: max(1, width - key.utf8.count)) }
}

extension TraceExpectation.Finding {
  fileprivate var section: TraceExpectation.Section {
    var lines = [TraceExpectation.fact("finding", rule), Self.fact("count", String(count)), Self.fact("event", String(event))]
    if let vcpu { lines.append(Self.fact("vcpu", String(vcpu))) }
    if let gpa { lines.append(Self.fact("gpa", Hex.text(gpa))) }
    if let rip { lines.append(Self.fact("rip", Hex.text(rip))) }
    lines += because.map { Self.fact("because", "[\($0.event)] \($0.what)") }
    if let witness { lines.append(Self.fact("witness", witness)) }
    lines += also.map { Self.fact("also", $0) }
    return TraceExpectation.Section(rule: rule, lines: lines)
  }

  /// A fact of one finding: values of all facts stand in one column.
  private static func fact(_ key: String, _ value: String) -> String { "  " + TraceExpectation.padded(key, to: 9) + value }
}
