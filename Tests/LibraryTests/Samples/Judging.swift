// docs: judge
import Analyzer
import Races
import Reports
import TraceFile

/// What `pagetape replay` prints.
func judge(_ path: String) throws -> String {
  let trace = try TraceReader(path: path)
  let verdict = Verdict(of: trace)
  return verdict.text(name: path)
}
// docs: end

// docs: inspect
/// A line for each broken rule: where it broke first, and the earlier events that make it a violation.
func broken(_ verdict: Verdict) -> [String] {
  verdict.findings.map { finding in
    let reasons = finding.because.map { "[\($0.seq)] \($0.what)" }.joined(separator: "; ")
    return "\(finding.rule.name) broke \(finding.count) times, first at event \(finding.seq): \(finding.observed) \(reasons)"
  }
}
// docs: end

// docs: damage
/// Whether a trace says what it was recorded to say, and what is wrong with it where it does not.
func soundness(of path: String) throws -> [String] {
  let trace = try TraceReader(path: path)
  let verdict = Verdict(of: trace).restricted(to: RuleGlob("stop/*"))
  switch verdict.outcome {
  case .clean: return []
  case .violated: return broken(verdict)
  case .incomplete: return ["nothing is broken in \(verdict.events) events, but \(verdict.lost) are missing"] + trace.damageLines
  }
}
// docs: end

// docs: events
import TraceEvents
import TraceFormat

/// The events of one kind, as values.
func events(of kind: EventKind, in trace: TraceReader) -> [Event] {
  trace.rewind()
  let batch = EventBatch()
  var found: [Event] = []
  while trace.nextBatch(into: batch) {
    batch.withCursor { cursor in
      while cursor.next() {
        if cursor.kind == kind { found.append(cursor.event) }
      }
    }
  }
  return found
}
// docs: end
