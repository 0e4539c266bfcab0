internal import TraceEvents

/// Judges the rules of the group `alert/`, and whether refusals were answered: are the alerts those that the replayed tree calls for.
struct AlertJudge {
  /// So many that may still be answered late, and causes of which nobody knows what they called for.
  private static let overdueLimit = 64

  /// What each vCPU's last exit calls for, until the vCPU goes on.
  var open: [Expectation?]
  /// Deadlines that passed with no alert, oldest first: missing, or late if one comes yet.
  private var overdue: [Expectation] = []
  private var openCauses: [UInt64] = []
  private var lastDroppedOpenCause: UInt64 = 0
  var denied = DeniedWrites()
  private(set) var stopped = StoppedWrites()
  /// Writes that were alerted about and took effect while the tree was not known, and the first of them.
  private var unjudged: (count: UInt64, first: UInt64) = (0, 0)
  /// Alerts with causes before this may answer what the trace does not show.
  private var holeBefore: UInt64 = 0
  private(set) var isAfterHole = false
  /// Per vCPU the hypercall that was last refused with an event.
  var refusedCalls: [UInt64]

  init(_ subject: Analyzer.Subject) {
    open = Array(repeating: nil, count: subject.vcpuCount)
    refusedCalls = Array(repeating: 0, count: subject.vcpuCount)
  }

  /// Whether something is called for that an entry of this vCPU into the guest would make overdue.
  @inline(__always)
  func isAwaited(_ index: Int) -> Bool {
    if case .none = open[index] { return false }
    return true
  }

  /// Looks at the next event. `facts` and `protection` are what was so before it.
  mutating func judge(
    _ event: borrowing EventView, _ facts: borrowing Facts, _ protection: inout Protection, _ findings: inout FindingCollector
  ) {
    if isAfterHole {
      // What tells of a loss may bear the number of the last event lost.
      holeBefore = event.kind == .eventsLost ? event.seq &+ 1 : event.seq
      isAfterHole = false
    }
    switch event.kind {
    case .pageWrite:
      if !denied.isEmpty { denied.forget(from: event.gpa & ~4095, to: (event.gpa & ~4095) &+ 4096) }
    case .guestWrite:
      if !denied.isEmpty, event.gpa < 1 << 52 { denied.forget(from: event.gpa, to: event.gpa &+ UInt64(event.dataCount / 2)) }
    case .guestEnter:
      if Int(event.vcpu) < open.count, open[Int(event.vcpu)] != nil { close(event.vcpu, at: event.seq, &findings) }
    case .writeTrap:
      protection.expectQuestions(on: event.gpa >> 12)
      expectForWrite(event, &protection, &findings)
    case .writeResult: judgeResult(event, &protection, &findings)
    case .pageContents: judgeContents(event, &findings)
    case .traceRemove: denied.forget(from: event.gpa & ~4095, to: FrameRange(gpa: event.gpa, count: event.a).endAddress)
    case .refusal: expectForRefusal(event, &findings)
    case .hypercallResult: judgeRefusedResult(event, &protection, &findings)
    case .regionAccess: expectForAccess(event, facts, &findings)
    case .alert: judgeAlert(event, &findings)
    default: break
    }
  }

  /// A hole in the trace before the next event: what was pending is neither kept nor broken, and nothing may be reported that rests on it.
  mutating func forget() {
    for index in open.indices {
      if let item = open[index] { note(item) }
      open[index] = nil
      refusedCalls[index] = 0
    }
    overdue = []
    denied.forget()
    isAfterHole = true
  }

  /// The trace is over. `complete` says that the recording ended by itself. What is still open goes into `undecided`.
  mutating func finish(_ facts: borrowing Facts, complete: Bool, _ findings: inout FindingCollector, _ undecided: inout [String]) {
    for item in overdue { reportMissing(item, &findings) }
    overdue = []
    defer {
      if unjudged.count > 0 {
        let writes = unjudged.count == 1 ? "a write" : "\(unjudged.count) writes"
        undecided.append(
          "whether \(writes), the first at \(unjudged.first), broke a rule: an alert let it through, and what the tree protects is not known after a loss")
      }
    }
    for index in open.indices {
      guard let item = open[index] else { continue }
      open[index] = nil
      note(item)
      guard item.isOwed else { continue }
      if complete {
        reportMissing(item, &findings)
      } else {
        undecided.append("whether \(item.subjectText) on vCPU \(item.vcpu) is answered: the recording ends before the vCPU goes on")
      }
    }
  }

  // MARK: What is expected

  /// Takes in what a vCPU's last exit called for, once all that came of it is known.
  private mutating func note(_ item: Expectation) {
    stopped.note(item)
    guard holeBefore > 0, case .anything = item.call, item.subject == .write, item.landed, item.answer != nil else { return }
    if unjudged.count == 0 { unjudged.first = item.cause }
    unjudged.count += 1
  }

  mutating func expect(_ item: Expectation, _ findings: inout FindingCollector) {
    guard Int(item.vcpu) < open.count else { return }
    if open[Int(item.vcpu)] != nil { close(item.vcpu, at: item.cause, &findings) }
    open[Int(item.vcpu)] = item
  }

  /// The vCPU goes on: what has not been answered by now is overdue.
  private mutating func close(_ vcpu: UInt16, at seq: UInt64, _ findings: inout FindingCollector) {
    guard var item = open[Int(vcpu)] else { return }
    open[Int(vcpu)] = nil
    note(item)
    if case .anything = item.call {
      if openCauses.count == Self.overdueLimit { lastDroppedOpenCause = openCauses.removeFirst() }
      openCauses.append(item.cause)
    }
    guard item.isOwed else { return }
    item.overdueAt = seq
    if overdue.count == Self.overdueLimit { reportMissing(overdue.removeFirst(), &findings) }
    overdue.append(item)
  }

  private func reportMissing(_ item: Expectation, _ findings: inout FindingCollector) {
    let observed = item.overdueAt == 0 ? "none came before the recording ended" : "vCPU \(item.vcpu) went on at \(item.overdueAt), and none came"
    findings.report(
      item.rule, seq: item.cause, vcpu: item.vcpu, gpa: item.gpa == 0 ? nil : item.gpa, rip: item.rip == 0 ? nil : item.rip,
      expected: "\(item.expected) to answer \(item.subjectText)", observed: observed, because: item.because)
  }

  // MARK: What came

  /// Which vCPU waits for what this event called for: most often the one that the alert names.
  private func indexOfOpen(_ cause: UInt64, _ vcpu: UInt16) -> Int? {
    if Int(vcpu) < open.count, open[Int(vcpu)]?.cause == cause { return Int(vcpu) }
    return open.firstIndex { $0?.cause == cause }
  }

  private mutating func judgeAlert(_ event: borrowing EventView, _ findings: inout FindingCollector) {
    let (seq, vcpu, cause, action) = (event.seq, event.vcpu, event.cause, event.a)
    if cause != 0, let index = indexOfOpen(cause, vcpu), var item = open[index] {
      judgeAnswer(event, &item, &findings)
      open[index] = item
    } else if let index = overdue.firstIndex(where: { $0.cause == cause }) {
      let item = overdue.remove(at: index)
      findings.report(
        .alertLate, seq: seq, vcpu: vcpu == Event.host ? nil : vcpu, gpa: item.gpa == 0 ? nil : item.gpa, rip: item.rip == 0 ? nil : item.rip,
        expected: "\(item.expected) to answer \(item.subjectText)",
        observed: "it came at \(seq), after vCPU \(item.vcpu) had gone on at \(item.overdueAt)",
        because: item.because + [Finding.Reason(seq: item.overdueAt, what: "vCPU \(item.vcpu) went on")])
    } else {
      if cause != 0, cause < holeBefore || cause <= lastDroppedOpenCause || openCauses.contains(cause) { return }
      findings.report(
        .alertSpurious, at: event, expected: "every alert answers a write, a refusal or an access that calls for one",
        observed: "an alert with action \(Expectation.name(action)) names \(cause) as its cause, which calls for none",
        because: cause == 0 ? [] : [Finding.Reason(seq: cause, what: "what the alert says that it answers: nothing forbids it")])
    }
  }

  private mutating func judgeAnswer(_ event: borrowing EventView, _ item: inout Expectation, _ findings: inout FindingCollector) {
    let (seq, action, origin) = (event.seq, event.a, event.b)
    if let earlier = item.answer {
      let what = item.subjectText
      findings.report(
        .alertSpurious, at: event, expected: "one alert answers \(what)", observed: "a second one came at \(seq)",
        because: [Finding.Reason(seq: earlier, what: "the first alert")])
      return
    }
    item.answer = seq
    item.action = action
    switch item.call {
    case .anything: break
    case .nothing:
      let what = item.subjectText
      findings.report(
        .alertSpurious, at: event, expected: "no alert answers \(what): nothing protects it from this vCPU",
        observed: "an alert with action \(Expectation.name(action)) was raised",
        because: [Finding.Reason(seq: item.cause, what: "\(what), which the alert answers")])
    case .alert(let wantedOrigin, let wantedAction):
      let isRight = action == UInt64(wantedAction) && origin == wantedOrigin.rawValue
      if !isRight {
        let (expected, because, what) = (item.expected, item.because, item.subjectText)
        let came = AlertOrigin(rawValue: origin).map { "\($0)" } ?? "number \(origin)"
        findings.report(
          .alertWrongAction, at: event, expected: "\(expected) to answer \(what)",
          observed: "it has origin \(came) and action \(Expectation.name(action))", because: because)
      }
    }
    judgeLanding(&item, &findings)
  }

  /// A write that was denied, and was in memory right afterwards.
  mutating func judgeLanding(_ item: inout Expectation, _ findings: inout FindingCollector) {
    guard item.landed, !item.isLandingTold, item.isDenied, let resultAt = item.resultAt else { return }
    item.isLandingTold = true
    let (cause, answer, action) = (item.cause, item.answer, item.action)
    findings.report(
      .alertDeniedWriteLanded, seq: resultAt, vcpu: item.vcpu, gpa: item.gpa, rip: item.rip == 0 ? nil : item.rip,
      expected: "a denied write leaves memory as it was", observed: "the bytes of the write were in memory afterwards, and not before",
      because: [Finding.Reason(seq: cause, what: "the write trapped")]
        + (answer.map { [Finding.Reason(seq: $0, what: "an alert with action \(Expectation.name(action)) denied it")] } ?? []))
  }
}

extension Expectation {
  /// Whether an alert is still to come.
  var isOwed: Bool {
    if case .alert = call { return answer == nil }
    return false
  }
}

extension FrameRange {
  fileprivate var endAddress: UInt64 { end >= 1 << 52 ? .max : end << 12 }
}
