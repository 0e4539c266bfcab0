internal import TraceEvents

/// What is missing from a trace, by the account of its recorder and of its reader.
struct Losses {
  /// Known to be missing.
  var events: UInt64 = 0
  /// Something is missing, though perhaps nobody knows how much.
  var isIncomplete = false
  var sessionEnded = false
  /// A size cap or a full disk ended it, between any two events.
  var stoppedForRoom = false

  /// The end of the trace is not the end of the recording.
  func reportCut(after seq: UInt64, _ findings: inout FindingCollector) {
    findings.report(
      .traceLost, seq: seq + 1, vcpu: nil, expected: "The recording ends by itself, with its reason in the last event.",
      observed: "It stops after event \(seq) without one: whatever came later was not recorded.")
  }
}

extension Analyzer {
  /// The reader says that something is missing between the last event fed and the next one.
  ///
  /// `lostEvents` is 0 where nobody knows how many; `firstSeq ..< lastSeq + 1` are the missing numbers, as far as they are known (0 and 0 where not).
  /// `damage` says what is wrong with the file there, as `trace/damaged`; nil is a plain gap, `trace/lost`. No rule is judged across the hole.
  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String? = nil) {
    let from = firstSeq == 0 ? self.lastSeq + 1 : firstSeq
    let amount = lostEvents == 0 ? "An unknown number of events is missing" : "\(lostEvents) event\(lostEvents == 1 ? " is" : "s are") missing"
    let place = lastSeq >= from ? " (\(from) to \(lastSeq))" : " after event \(self.lastSeq)"
    findings.report(
      damage == nil ? .traceLost : .traceDamaged, seq: from, vcpu: nil, expected: "The trace holds every event of the recording.",
      observed: amount + place + (damage.map { ": \($0)." } ?? "."))
    losses.events = lostEvents > .max - losses.events ? .max : losses.events + lostEvents
    losses.isIncomplete = true
    let before = self.lastSeq
    self.lastSeq = max(before, lastSeq)
    forgetAll(after: before)
    findings.settle()
  }

  /// Numbers that nobody explained are a gap too. Hand-built events without numbers have none.
  mutating func noteGap(before seq: UInt64) {
    guard seq > lastSeq + 1 else { return }
    noteHole(lostEvents: seq - lastSeq - 1, firstSeq: lastSeq + 1, lastSeq: seq - 1)
  }

  /// Events that speak of the recording itself.
  mutating func noteSession(_ event: borrowing EventView) {
    switch event.kind {
    case .sessionEnd:
      losses.sessionEnded = true
      let reason = EndReason(rawValue: event.a)
      losses.stoppedForRoom = reason == .sizeCap || reason == .diskFull
    case .eventsLost: noteLoss(event)
    default: break
    }
  }

  /// The recorder says that it lost events here.
  private mutating func noteLoss(_ event: borrowing EventView) {
    let cause = LossCause(rawValue: event.b)
    let count = event.a == 0 ? "An unknown number of events" : "\(event.a) event\(event.a == 1 ? "" : "s")"
    let why = Self.text(cause)
    let detail = event.dataCount == 0 ? "" : " (\(String(decoding: event.data, as: UTF8.self)))"
    let verb = event.a == 1 ? "is" : "are"
    findings.report(
      .traceLost, at: event, expected: "The trace holds every event of the recording.",
      observed: "\(count) \(verb) missing here: \(why)\(detail).")
    losses.events = event.a > .max - losses.events ? .max : losses.events + event.a
    losses.isIncomplete = true
    // A dirty ring that overflowed lost writes to untraced pages alone: what is known of modes, signals and traced pages still is.
    if cause != .dirtyRingOverflow { forgetAll(after: event.seq) }
  }

  private static func text(_ cause: LossCause?) -> String {
    switch cause {
    case .dirtyRingOverflow: "the host's log of written pages ran over"
    case .recorderOverflow: "the recorder could not keep up"
    case .diskFull: "the disk was full"
    case .damagedFrame: "a damaged part of an earlier file was left out"
    case .flightRecorder: "only the end of the recording was kept"
    case nil: "for a reason that this version does not know"
    }
  }

  private mutating func forgetAll(after seq: UInt64) {
    facts.forget()
    stop.forget()
    protection.forget()
    integrity.forget()
    alerts.forget()
    tree.forget()
    scout.forget()
    if !own.isEmpty { own.noteHole(after: seq, &findings) }
  }
}

extension EventView {
  /// Whether a trace begins so that holds the end of a longer recording: the event says how many came before it.
  var beginsTail: Bool {
    let (kind, cause, count, seq) = (kind, b, a, seq)
    return kind == .eventsLost && cause == LossCause.flightRecorder.rawValue && count == seq
  }
}
