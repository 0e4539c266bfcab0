public import Reports

extension TraceResult {
  /// So many lines of a difference are shown; a report holds more.
  private static let shown = 60

  /// What a person is told of it: a line, and where it is not as expected the difference.
  public func lines(style: TextStyle) -> [String] {
    let mark = status.isFailure ? style.bad(status.rawValue) : status == .passed ? style.good(status.rawValue) : style.caution(status.rawValue)
    var lines = ["\(mark)  \(trace)" + (message.map { ": \($0)" } ?? "")]
    if status == .knownFailure { return lines }
    for line in difference.prefix(Self.shown) {
      let painted = line.hasPrefix("- ") ? style.bad(line) : line.hasPrefix("+ ") ? style.good(line) : line
      lines.append("    " + painted)
    }
    if difference.count > Self.shown { lines.append("    … \(Count.text(UInt64(difference.count - Self.shown), "more line"))") }
    return lines
  }
}

extension SuiteReport {
  /// How many came to what, what was found in them, and which took longest.
  public func summary(style: TextStyle) -> String {
    var lines: [String] = []
    if results.contains(where: { $0.status.isFailure && !$0.difference.isEmpty }) { lines += ["", "(- was expected, + came)"] }
    let judged = results.filter { $0.verdict != nil }
    let tally = TraceResult.Status.allCases.map { ($0, count($0)) }.filter { $0.1 > 0 }.map { status, count in
      let text = "\(Count.grouped(UInt64(count))) \(status.words)"
      return status.isFailure ? style.bad(text) : status == .passed ? style.good(text) : style.caution(text)
    }
    let part = shard.map { " (shard \($0) of \(Count.grouped(UInt64(suiteCount))))" } ?? ""
    if !lines.isEmpty || results.contains(where: { $0.status != .passed }) { lines.append("") }
    lines.append("\(Count.text(UInt64(results.count), "trace"))\(part): " + (tally.isEmpty ? "none in it" : tally.joined(separator: ", ")))
    let verdicts = TraceExpectation.Outcome.allCases.compactMap { outcome -> String? in
      let count = judged.count { $0.verdict == outcome.rawValue }
      return count == 0 ? nil : "\(Count.grouped(UInt64(count))) \(outcome.rawValue)"
    }
    if !verdicts.isEmpty { lines.append("verdicts: \(verdicts.joined(separator: ", ")); \(Count.text(judged.reduce(0) { $0 &+ ($1.events ?? 0) }, "event"))") }
    let slowest = judged.sorted { ($1.seconds, $0.trace) < ($0.seconds, $1.trace) }.prefix(5)
    if slowest.count > 1 {
      lines.append("slowest:")
      lines += slowest.map { "  \(Self.secondsText($0.seconds)) s  \($0.trace)" }
    }
    lines.append("took \(Self.secondsText(seconds)) s")
    return lines.joined(separator: "\n") + "\n"
  }

  /// Three decimals.
  static func secondsText(_ seconds: Double) -> String { JSON.decimal(seconds.isFinite ? min(max(seconds, 0), 1e12) : 0).text }
}
