internal import Analyzer

/// Why no smaller trace was made.
public struct MinimizationError: Error, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    /// No rule asked for is broken, or not at the event asked for.
    case noFinding
    /// A hole in the trace is no finding that events show.
    case isLoss
    /// The finding shows only together with more events than are looked at.
    case outOfReach
    /// The events do not fit what a trace can hold.
    case notWritable
  }

  public var code: Code
  public var description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  /// Nothing was found where it was looked for; says what was found instead.
  static func noFinding(_ rule: RuleGlob, at seq: UInt64?, among findings: [Finding]) -> MinimizationError {
    let place = seq.map { " at event \($0)" } ?? ""
    let matching = findings.filter { rule.matches($0.rule) && $0.rule.severity != .loss }
    let shown = matching.isEmpty ? findings.filter { $0.rule.severity != .loss } : matching
    let list = shown.map { "\($0.rule.name) at \($0.seq)" + ($0.count > 1 ? " (and \($0.count - 1) more time\($0.count == 2 ? "" : "s"))" : "") }
    let told = list.isEmpty ? "no rule is broken in this trace" : "there is \(list.joined(separator: ", "))"
    return MinimizationError(.noFinding, "nothing that matches '\(rule.pattern)' is found\(place); \(told)")
  }

  static func outOfReach(_ finding: Finding, _ collected: EventCollector) -> MinimizationError {
    MinimizationError(
      .outOfReach,
      "\(finding.rule.name) at \(finding.seq) does not show in the \(collected.events.count) events that it most likely rests on; more are not looked at")
  }
}
