internal import Analyzer
public import Inspection
public import Symbols
public import TraceEvents

/// What `diff` says: a comparison, and the events that it names.
public struct ComparisonReport: Sendable {
  public var comparison: TraceComparison
  public var headers: [HeaderDifference]
  /// The files as the user named them.
  public var names: (a: String, b: String)
  /// The events that the comparison names, of either trace, by number.
  public var a: [UInt64: Event]
  public var b: [UInt64: Event]
  /// Of the guest of both: names beside addresses.
  public var symbols: GuestSymbols?

  public init(_ comparison: TraceComparison, headers: [HeaderDifference], names: (a: String, b: String), a: [UInt64: Event], b: [UInt64: Event],
    symbols: GuestSymbols? = nil
  ) {
    self.comparison = comparison
    self.headers = headers
    self.names = names
    self.a = a
    self.b = b
    self.symbols = symbols
  }
}

extension TraceComparison {
  /// Numbers of the events of one trace that a report shows.
  public func numbersShown(of side: Side) -> [UInt64] {
    lanes.flatMap { lane -> [UInt64] in
      guard case .diverges(let a, let b) = lane.outcome else { return [] }
      // The context is shown as the first trace has it.
      return (side == .a ? lane.context.map(\.a) : []) + [side == .a ? a : b].compactMap { $0 }
    }
  }
}

// MARK: Text

extension ComparisonReport {
  /// The form for a person: what agrees, and of each vCPU that does not the two events, after the last ones that agree.
  public func text(style: TextStyle) -> String {
    var lines = [headline(style)]
    for header in headers {
      lines += TextStyle.wrap("\(header.name): \(header.a ?? "not said") / \(header.b ?? "not said")".printable, first: "  header  ", rest: "          ")
    }
    for (side, seq) in comparison.losses.enumerated() {
      if let seq { lines.append("  \(side == 0 ? names.a : names.b) says at [\(seq)] that the recorder lost events: what differs may be those") }
    }
    if comparison.farCauses > 0 {
      lines.append("  \(Count.text(comparison.farCauses, "event")) answer what is passed over or lies too far back: what they answer was not compared")
    }
    let ordered = comparison.lanes.sorted { ($0.firstNumber, $0.vcpu) < ($1.firstNumber, $1.vcpu) }
    for lane in ordered { lines += self.lines(lane) }
    return lines.joined(separator: "\n") + "\n"
  }

  private func headline(_ style: TextStyle) -> String {
    let files = "A \(names.a), B \(names.b)"
    switch comparison.verdict {
    case .same: return style.good("same") + "  \(files): \(Count.text(comparison.lanes.reduce(0) { $0 + $1.common }, "event"))"
    case .undecided: return style.caution("undecided") + "  \(files): no difference in what could be compared"
    case .differ: return style.bad("differ") + "  \(files): first \(comparison.first.map { "on \(actorText($0.vcpu))" } ?? "")"
    }
  }

  private func lines(_ lane: TraceComparison.Lane) -> [String] {
    let who = actorText(lane.vcpu)
    switch lane.outcome {
    case .agrees: return lane.common == 0 ? [] : ["", "\(who): \(Count.text(lane.common, "event")), the same"]
    case .undecided(let reason): return ["", "\(who): \(Count.text(lane.common, "event")) the same, then not compared: \(reason.words(names))"]
    case .diverges(let first, let second):
      var lines = ["", "\(who): \(Count.text(lane.common, "event")) the same, then"]
      lines += lane.context.map { pair in "    \(a[pair.a]?.line(symbols) ?? "event \(pair.a)")" + (pair.a == pair.b ? "" : "  (in B [\(pair.b)])") }
      lines.append("  A " + (first.map { a[$0]?.line(symbols) ?? "event \($0)" } ?? "        has no further event"))
      lines.append("  B " + (second.map { b[$0]?.line(symbols) ?? "event \($0)" } ?? "        has no further event"))
      return lines
    case nil: return ["", "\(who): not compared to the end"]
    }
  }
}

extension TraceComparison.Lane {
  /// For the order of a report: those that diverge first, then the others.
  var firstNumber: UInt64 {
    guard case .diverges(let a, let b) = outcome else { return .max }
    return min(a ?? .max, b ?? .max)
  }
}

extension TraceComparison.Reason {
  func words(_ names: (a: String, b: String)) -> String {
    func name(_ side: TraceComparison.Side) -> String { side == .a ? names.a : names.b }
    switch self {
    case .hole(let side, let seq): return "events are missing in \(name(side)) from [\(seq)] on"
    case .unfinished(let side): return "\(name(side)) is not complete"
    case .skew(let side): return "\(name(side)) is too far ahead of the other to be kept"
    case .starts(let a, let b): return "\(names.a) begins with [\(a)], \(names.b) with [\(b)]"
    }
  }
}

// MARK: JSON

extension ComparisonReport {
  /// The machine's form: what is absent is null.
  public var json: JSON {
    .object([
      ("verdict", .string(comparison.verdict.rawValue)),
      ("first", .optional(comparison.first) { Self.vcpu($0.vcpu) }),
      (
        "headers",
        .array(headers.map { .object([("name", .string($0.name)), ("a", .optional($0.a) { .string($0) }), ("b", .optional($0.b) { .string($0) })]) })
      ),
      ("losses", .object([("a", .optional(comparison.losses[0]) { .number($0) }), ("b", .optional(comparison.losses[1]) { .number($0) })])),
      ("notComparedCauses", .number(comparison.farCauses)),
      ("lanes", .array(comparison.lanes.map(json))),
    ])
  }

  private static func vcpu(_ vcpu: UInt16) -> JSON { vcpu == Event.host ? .string("host") : .number(UInt64(vcpu)) }

  private func json(_ lane: TraceComparison.Lane) -> JSON {
    var (outcome, why, first, second) = ("agrees", JSON.null, JSON.null, JSON.null)
    switch lane.outcome {
    case .agrees: break
    case .undecided(let reason): (outcome, why) = ("undecided", .string(reason.words(names)))
    case .diverges(let a, let b):
      outcome = "diverges"
      first = .optional(a.flatMap { self.a[$0] }) { $0.json(symbols) }
      second = .optional(b.flatMap { self.b[$0] }) { $0.json(symbols) }
    case nil: outcome = "undecided"
    }
    let context = outcome == "diverges" ? lane.context : []
    return .object([
      ("vcpu", Self.vcpu(lane.vcpu)), ("common", .number(lane.common)), ("outcome", .string(outcome)), ("why", why), ("a", first), ("b", second),
      (
        "before",
        .array(context.map { .object([("a", .number($0.a)), ("b", .number($0.b)), ("event", .optional(self.a[$0.a]) { $0.json(symbols) })]) })
      ),
    ])
  }
}
