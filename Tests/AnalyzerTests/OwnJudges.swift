import Analyzer
import TraceEvents

/// Writes down all that it is shown, and reports some of it.
struct Scribe: RuleJudge {
  /// Shared with the test that looks at it.
  final class Notes {
    var lines: [String] = []
  }

  static func rule() throws -> Rule { try Rule("test/scribe", statement: "No event has a number that ends with 7.") }

  let rule: Rule
  let notes: Notes
  private var seen = 0

  init(_ notes: Notes) throws {
    rule = try Self.rule()
    self.notes = notes
  }

  mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {
    seen += 1
    var line = "Event \(event.seq) \(event.kind.rawValue) \(event.time) \(event.vcpu) \(event.gpa) \(event.rip) \(event.cause)"
    line += " \(event.a) \(event.b) \(event.c) \(event.d) \(event.data.prefix(32))"
    for vcpu in 0..<UInt16(machine.vcpuCount) {
      line += " \(machine.mode(of: vcpu)) \(String(describing: machine.isInIntegrityMode(vcpu))) \(machine.isHalted(vcpu)) \(machine.isInGuest(vcpu))"
      line += " \(machine.lastEnter(of: vcpu) ?? 0)"
    }
    line += " \(String(describing: machine.isRegionMapped)) \(machine.entryPoint ?? 0) \(machine.basePointer ?? 0) \(machine.registrationLock ?? 0)"
    for page in [event.gpa, 0x1000, 0x2000, 0x9000] {
      line += " \(String(describing: machine.isTraced(page))) \(machine.decision(onWriteBy: event.vcpu, to: page, count: 8))"
      line += " \(String(describing: machine.driverPageKind(at: page))) \(machine.isGuestMemory(page))"
    }
    notes.lines.append(line)
    if event.seq % 10 == 7 { report.breach(at: event, expected: "another number", observed: "\(event.seq), after \(seen) events") }
  }

  mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) {
    notes.lines.append("hole after \(seq)")
    report.leaveUndecided("what was between \(seq) and the next event")
  }

  mutating func finish(isEnded: Bool, _ machine: MachineView, _ report: inout BreachReport) {
    notes.lines.append("end \(isEnded) \(machine.mode(of: 0))")
  }
}

/// Every stop signal is answered before so many nanoseconds are over.
struct PromptStop: RuleJudge {
  let rule: Rule
  let limit: UInt64
  private var pending: [UInt64: Event] = [:]

  init(limit: UInt64, severity: Severity = .violation) throws {
    rule = try Rule("acme/prompt-stop", severity: severity, statement: "Every stop signal is acknowledged within \(limit) ns.")
    self.limit = limit
  }

  mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {
    if event.kind == .stopSend { pending[event.seq] = event }
    guard event.kind == .stopAck, let stop = pending.removeValue(forKey: event.cause), event.time - stop.time > limit else { return }
    report.breach(
      at: event, expected: "an ack within \(limit) ns", observed: "an ack after \(event.time - stop.time) ns",
      because: [
        Finding.Reason(seq: stop.seq, what: "vCPU \(stop.vcpu) sent the stop signal"),
        Finding.Reason(seq: machine.lastEnter(of: event.vcpu) ?? 0, what: "vCPU \(event.vcpu) went into the guest"),
      ])
  }

  mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) {
    for stop in pending.keys.sorted() { report.leaveUndecided("whether the stop signal \(stop) was acknowledged in time") }
    pending = [:]
  }

  mutating func finish(isEnded: Bool, _ machine: MachineView, _ report: inout BreachReport) {
    for stop in pending.values.sorted(by: { $0.seq < $1.seq }) {
      if isEnded {
        report.breach(seq: stop.seq, vcpu: UInt16(stop.a), expected: "an ack within \(limit) ns", observed: "none to the end")
      } else {
        report.leaveUndecided("whether the stop signal \(stop.seq) was acknowledged in time")
      }
    }
  }
}

/// Decides a rule that is not its own to decide.
struct Usurper: RuleJudge {
  let rule = Rule.stopLostSignal
  mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {}
  mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) {}
}
