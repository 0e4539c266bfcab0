public import TraceEvents

/// Where a `RuleJudge` says that its rule is broken, or that it cannot tell.
public struct BreachReport: ~Copyable {
  var findings = FindingCollector()
  var undecided: [String] = []
  /// The rule of the judge that has the word.
  var rule = Rule.traceLost

  /// The rule breaks at this event: by its vCPU, at its address and its instruction pointer, where it has them.
  ///
  /// The first break is told in full, later ones are counted: their texts are not asked for. `because` names the earlier events that make it a breach;
  /// it is put in order.
  public mutating func breach(
    at event: Event, expected: @autoclosure () -> String, observed: @autoclosure () -> String, because: @autoclosure () -> [Finding.Reason] = []
  ) {
    breach(
      seq: event.seq, vcpu: event.vcpu == Event.host ? nil : event.vcpu, gpa: event.gpa == 0 ? nil : event.gpa, rip: event.rip == 0 ? nil : event.rip,
      expected: expected(), observed: observed(), because: because())
  }

  /// As above, for what is not the event in hand: the place where something was due that never came. `vcpu` is nil for the host, or where no one vCPU did it.
  public mutating func breach(
    seq: UInt64, vcpu: UInt16?, gpa: UInt64? = nil, rip: UInt64? = nil, expected: @autoclosure () -> String, observed: @autoclosure () -> String,
    because: @autoclosure () -> [Finding.Reason] = []
  ) {
    findings.report(rule, seq: seq, vcpu: vcpu, gpa: gpa, rip: rip, expected: expected(), observed: observed(), because: because())
  }

  /// Says, in a sentence, what the end of the recording or a hole left open: neither kept nor broken.
  public mutating func leaveUndecided(_ what: String) { undecided.append("\(rule.name): \(what)") }
}
