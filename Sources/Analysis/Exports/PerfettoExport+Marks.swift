internal import Analyzer
internal import Reports
internal import Symbols
internal import TraceEvents

/// What happens at one moment: signals, alerts, findings.
extension PerfettoExport {
  /// A slice without length, for the arrows to begin and end at.
  mutating func showSignal(_ event: Event) {
    var ends = flows.take(event)
    flows.unanswered = []
    if ends.begun != nil, unanswered.contains(event.seq) { ends.begun = nil }
    let track = track(event.vcpu)
    writer.begin(event.kind.name, "signal", track: track, at: time, arguments(event))
    for end in ends.ended where !unanswered.contains(end.seq) { writer.arrow(end.kind.rawValue, end.seq, isEnd: true, track: track, at: time) }
    if let kind = ends.begun { writer.arrow(kind.rawValue, event.seq, isEnd: false, track: track, at: time) }
    writer.end(track: track, at: time)
  }

  mutating func showAlert(_ event: Event) { writer.instant("alert", "alert", track: track(event.vcpu), at: time, arguments(event)) }

  mutating func showFinding(_ finding: Finding) {
    writer.instant(
      finding.rule.name, "finding", track: track(finding.vcpu), at: time,
      [
        ("rule", .string(finding.rule.name)), ("severity", .string(finding.rule.severity.rawValue)), ("event", .number(finding.seq)),
        ("count", .number(finding.count)), ("expected", .string(finding.expected)), ("observed", .string(finding.observed)),
        ("gpa", .optional(finding.gpa) { .string(symbols.gpa($0)) }), ("rip", .optional(finding.rip) { .string(symbols.rip($0)) }),
        ("because", .array(finding.because.map { .string("[\($0.seq)] \($0.what)") })),
      ].filter { $0.value != .null })
  }

  /// What the operands mean, and which event it is.
  func arguments(_ event: Event) -> [(key: String, value: JSON)] {
    var arguments: [(key: String, value: JSON)] = [("event", .number(event.seq)), ("detail", .string(event.story(symbols)))]
    let columns = event.kind.row?.columns ?? []
    if columns.contains(.gpa), event.gpa != 0 { arguments.append(("gpa", .string(symbols.gpa(event.gpa)))) }
    if columns.contains(.rip), event.rip != 0 { arguments.append(("rip", .string(symbols.rip(event.rip)))) }
    if event.cause > 0 { arguments.append(("cause", .number(event.cause))) }
    return arguments
  }
}
