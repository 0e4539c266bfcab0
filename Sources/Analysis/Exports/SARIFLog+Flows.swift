internal import Analyzer
internal import Reports
internal import Symbols

extension SARIFLog {
  /// An event of a flow.
  private struct Step {
    var seq: UInt64
    /// Nil where the trace does not say.
    var vcpu: UInt16?
    var what: String
    var isEssential = false
  }

  /// How it came to the finding, and for a race foretold the order of events that breaks the rule.
  func codeFlows(_ finding: Finding) -> [JSON] {
    var flows: [JSON] = []
    let chain = chain(finding)
    if chain.count > 1 { flows.append(flow("What led to it, vCPU by vCPU.", chain)) }
    if case .reordering(let witness) = finding.evidence {
      let steps = Finding.shown(witness.steps).map { Step(seq: $0.seq, vcpu: named.places[$0.seq]?.vcpu, what: $0.what) }
      let order = "After event \(witness.prefix), another order of events that nothing forbids; the last one breaks \(witness.rule.name)."
      if !steps.isEmpty { flows.append(flow(order, steps)) }
    }
    return flows
  }

  /// The because chain, the accesses of a race, and the event of the finding itself, oldest first.
  private func chain(_ finding: Finding) -> [Step] {
    var steps = finding.because.map { Step(seq: $0.seq, vcpu: named.places[$0.seq]?.vcpu, what: $0.what) }
    steps += finding.accesses.map { Step(seq: $0.seq, vcpu: $0.vcpu, what: words($0), isEssential: true) }
    if !steps.contains(where: { $0.seq == finding.seq }) {
      steps.append(Step(seq: finding.seq, vcpu: named.places[finding.seq]?.vcpu ?? finding.vcpu, what: finding.observed, isEssential: true))
    }
    // A stable sort: what is said of one event stays in its order.
    return steps.enumerated().sorted { ($0.element.seq, $0.offset) < ($1.element.seq, $1.offset) }.map(\.element)
  }

  private func words(_ access: Finding.Access) -> String {
    let from = access.rip.map { " from rip \(symbols.rip($0))" } ?? ""
    let bytes = Count.text(access.length, "byte")
    return switch access.what {
    case .read: "reads \(bytes) at \(symbols.gpa(access.gpa))\(from)"
    case .write: "writes \(bytes) at \(symbols.gpa(access.gpa))\(from)"
    case .attempt: "tries to write \(bytes) at \(symbols.gpa(access.gpa))\(from)"
    case .install: "puts a write trace on \(bytes) from \(symbols.gpa(access.gpa))"
    case .remove: "takes the write trace off \(bytes) from \(symbols.gpa(access.gpa))"
    }
  }

  /// One thread flow a vCPU, by their first step; `executionOrder` joins them again.
  private func flow(_ text: String, _ steps: [Step]) -> JSON {
    var lanes: [String] = []
    var byLane: [String: [JSON]] = [:]
    for (index, step) in steps.enumerated() {
      let lane = lane(step.vcpu)
      if byLane[lane] == nil { lanes.append(lane) }
      byLane[lane, default: []].append(
        .object([
          ("location", place(step.seq, vcpu: step.vcpu, message: step.what)), ("executionOrder", .number(UInt64(index + 1))),
          ("importance", .string(step.isEssential ? "essential" : "important")),
        ]))
    }
    return .object([
      ("message", .object([("text", .string(text))])),
      ("threadFlows", .array(lanes.map { .object([("id", .string($0)), ("locations", .array(byLane[$0] ?? []))]) })),
    ])
  }
}
