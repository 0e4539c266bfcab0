public import TraceEvents

/// Decides one rule of a user's own, from the events of a trace.
///
/// The analyzer shows it each event once, in order, whatever is in the batches that the trace comes in, together with the machine as it was before that
/// event. It keeps what it wants of that and says where its rule breaks:
///
///     struct NoTrapInMode: RuleJudge {
///       let rule: Rule
///
///       init() throws { rule = try Rule("acme/no-trap-in-mode", statement: "No write traps while its vCPU is in the privileged mode.") }
///
///       mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport) {
///         guard event.kind == .writeTrap, machine.mode(of: event.vcpu) == .privileged else { return }
///         report.breach(at: event, expected: "no trap in the privileged mode", observed: "a write that trapped")
///       }
///
///       mutating func noteHole(after seq: UInt64, _ report: inout BreachReport) {}
///     }
///
/// What it finds stands in the `Verdict` like all else: counted, with its first place, and told by every report. A judge sees what was recorded, so
/// its rule is not one that `race/predicted` foretells. It should hold bounded memory, as the built-in judges do.
public protocol RuleJudge {
  /// The one rule that it decides; asked for once.
  var rule: Rule { get }

  /// Looks at an event. `machine` is what was so before it, by the events alone.
  mutating func judge(_ event: Event, _ machine: MachineView, _ report: inout BreachReport)

  /// Events are missing between `seq` and the next one shown: what is known of the machine by earlier ones may have changed unseen. No rule is judged
  /// across that. What was still owed can be left undecided. (An `eventsLost` that lost writes to untraced pages only is an event and no hole.)
  ///
  /// There is no default: a judge that remembers nothing does nothing here.
  mutating func noteHole(after seq: UInt64, _ report: inout BreachReport)

  /// No more events come. With `isEnded` the recording ended by itself, and what did not come by then never came; without, it was cut off between two
  /// events. Does nothing unless it is implemented.
  mutating func finish(isEnded: Bool, _ machine: MachineView, _ report: inout BreachReport)
}

extension RuleJudge {
  public mutating func finish(isEnded: Bool, _ machine: MachineView, _ report: inout BreachReport) {}
}
