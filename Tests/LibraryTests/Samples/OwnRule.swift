// docs: own-rule
import Analyzer
import TraceEvents

/// Every stop signal is acknowledged in time: the built-in rules ask that it is, and not how soon.
struct PromptStop: RuleJudge {
  let rule: Rule
  /// Nanoseconds.
  let limit: UInt64
  /// Stop signals that are not acknowledged yet, by their numbers.
  private var pending: [UInt64: Event] = [:]

  init(within limit: UInt64) throws(RuleError) {
    rule = try Rule("acme/prompt-stop", statement: "Every stop signal is acknowledged within \(limit) ns.")
    self.limit = limit
  }

  mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {
    switch event.kind {
    case .stopSend: pending[event.seq] = event
    case .stopAck:
      // An ack names, in `cause`, the signal that it answers.
      guard let stop = pending.removeValue(forKey: event.cause), event.time - stop.time > limit else { return }
      let wasInGuest = machine.lastEnter(of: event.vcpu).map { Finding.Reason(seq: $0, what: "vCPU \(event.vcpu) last went into the guest") }
      report.breach(
        at: event, expected: "An acknowledgement within \(limit) ns.", observed: "It took \(event.time - stop.time) ns.",
        because: [Finding.Reason(seq: stop.seq, what: "vCPU \(stop.vcpu) sent the stop signal")] + (wasInGuest.map { [$0] } ?? []))
    default: break
    }
  }

  /// Acknowledgements may be among the events that are missing.
  mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) { leavePending(&report) }

  mutating func finish(isEnded: Bool, _ machine: MachineView, _ report: inout BreachReport) {
    // Where the recording ended by itself, `stop/lost-signal` has the signals that nobody answered.
    if !isEnded { leavePending(&report) }
  }

  private mutating func leavePending(_ report: inout BreachReport) {
    for seq in pending.keys.sorted() { report.leaveUndecided("whether the stop signal \(seq) was acknowledged in time") }
    pending = [:]
  }
}
// docs: end

// docs: use-own-rule
import Races
import TraceFile

func judgePromptness(_ path: String, within limit: UInt64) throws -> Verdict {
  let trace = try TraceReader(path: path)
  return Verdict(of: trace, judges: [try PromptStop(within: limit)])
}
// docs: end

// docs: modes
/// No page is taken out of protection while its vCPU is stopped or in the privileged mode.
struct NoUnprotectInMode: RuleJudge {
  let rule: Rule

  init() throws(RuleError) {
    rule = try Rule("acme/no-unprotect-in-mode", severity: .warning, statement: "No trace is removed by a vCPU that is not in ordinary guest code.")
  }

  mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {
    guard event.kind == .traceRemove, event.vcpu != Event.host else { return }
    switch machine.mode(of: event.vcpu) {
    case .guest, .unknown: return
    case let mode: report.breach(at: event, expected: "A vCPU in ordinary guest code.", observed: "It is \(mode).")
    }
  }

  mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) {}
}
// docs: end
