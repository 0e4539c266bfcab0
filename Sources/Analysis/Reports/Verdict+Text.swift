public import Analyzer
public import Symbols

extension Verdict {
  /// The form for a person: the earliest violation first, what was expected, what was seen, why.
  ///
  /// `name` is the file as the user named it; `style` says whether to colour; where there are symbols, names stand
  /// beside addresses.
  public func text(name: String, style: TextStyle = .plain, symbols: GuestSymbols? = nil) -> String {
    var lines = [headline(name, style)]
    let named = naming(symbols)
    for finding in named.findings {
      lines.append("")
      lines += finding.lines(style, symbols)
    }
    lines += expectedLines
    lines += stopped.lines(symbols)
    if !undecided.isEmpty {
      lines.append("")
      lines.append("Left open:")
      lines += named.undecided.map { "  - \($0)" }
    }
    if let prediction {
      lines.append("")
      lines.append(
        "Other orders of the events: \(prediction.tried) tried"
          + (prediction.skipped > 0 ? ", \(prediction.skipped) more not tried" : "") + "; no event was moved past another \(prediction.window) or more away.")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func headline(_ name: String, _ style: TextStyle) -> String {
    let scope = "\(Count.text(events, "event"))" + (lost > 0 ? ", \(Count.grouped(lost)) missing" : "")
    let violations = findings.count { $0.rule.severity == .violation }
    switch outcome {
    case .clean: return style.good("clean") + "  \(name): \(scope), no rule broken" + (tally?.expected.isEmpty == false ? " but as expected" : "")
    case .incomplete: return style.caution("incomplete") + "  \(name): \(scope); no violation in what was recorded"
    case .violated: return style.bad("violated") + "  \(name): \(scope), \(Count.text(UInt64(violations), "rule")) broken"
    }
  }
}

extension Finding {
  func lines(_ style: TextStyle, _ symbols: GuestSymbols?) -> [String] {
    var place = ["event \(seq)"]
    if let vcpu { place.append("vCPU \(vcpu)") }
    if let gpa { place.append("gpa \(symbols.gpa(gpa))") }
    if let rip { place.append("rip \(symbols.rip(rip))") }
    let title = rule.severity == .violation ? style.bad(rule.name) : style.caution(rule.name)
    let times = count > 1 ? "  (and \(Count.text(count - 1, "more time")))" : ""
    var lines = ["\(title)  \(place.joined(separator: ", "))\(times)"]
    lines += TextStyle.wrap(expected, first: "  expected  ", rest: "            ")
    lines += TextStyle.wrap(observed, first: "  observed  ", rest: "            ")
    var first = true
    for reason in because {
      let head = first ? "  because   " : "            "
      let mark = "[\(reason.seq)] "
      lines += TextStyle.wrap(reason.what, first: head + mark, rest: "            " + String(repeating: " ", count: mark.count))
      first = false
    }
    if case .reordering(let witness) = evidence { lines += witness.lines }
    if !also.isEmpty { lines.append("  also      " + also.map(\.name).joined(separator: ", ")) }
    return lines
  }
}

extension Finding.Witness {
  /// So many steps are shown; the first and the last ones tell the story.
  private static let shown = 24

  /// The order that breaks the rule, one event a line, and what comes later than it did.
  fileprivate var lines: [String] {
    var lines = ["  witness   everything up to [\(prefix)] as recorded, then"]
    lines += Self.list(steps)
    if !steps.isEmpty { lines[lines.count - 1] += ": breaks \(rule.name)" }
    if !later.isEmpty { lines += ["            and only later"] + Self.list(later) }
    return lines
  }

  private static func list(_ events: [Finding.Reason]) -> [String] {
    let cut = events.count > shown ? shown / 2..<events.count - shown / 2 : 0..<0
    var lines: [String] = []
    for (index, event) in events.enumerated() {
      if index == cut.lowerBound, !cut.isEmpty { lines.append("            … \(Count.text(UInt64(cut.count), "event"))") }
      if !cut.contains(index) { lines.append("            [\(event.seq)] \(event.what)") }
    }
    return lines
  }
}
