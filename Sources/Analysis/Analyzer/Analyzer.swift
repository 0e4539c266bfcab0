public import TraceEvents
public import TraceFormat

/// Judges a trace by its events alone, in order, in one pass.
///
/// Feed it batches, tell it of holes, then ask for the verdict. It knows no KVM, reads no file, and shares no decision with the
/// hypervisor that was recorded: only the vocabulary of events and the tree's on-page format. Memory is bounded by the pages and vCPUs
/// that the trace touches, not by its length.
public struct Analyzer: ~Copyable, TracePass {
  /// What the header of a trace says of the machine that was recorded.
  public struct Subject: Sendable {
    public var vcpuCount: Int
    public var memory: [GuestRange]
    public var region: GuestRange
    public var attribution: WriteAttribution
    public var writes: WriteMode
    /// One vCPU ran at a time, and its dirty ring was read before the next one's turn: every page-write's bytes are its vCPU's.
    public var isSerial: Bool

    public init(
      vcpuCount: Int, memory: [GuestRange], region: GuestRange, attribution: WriteAttribution, writes: WriteMode = .protected, isSerial: Bool = false
    ) {
      self.vcpuCount = vcpuCount
      self.memory = memory
      self.region = region
      self.attribution = attribution
      self.writes = writes
      self.isSerial = isSerial
    }
  }

  let subject: Subject
  var facts: Facts
  var protection: Protection
  var stop: StopJudge
  var tree: TreeJudge
  var alerts: AlertJudge
  var integrity: IntegrityJudge
  var scout: RaceScout
  var own: OwnJudges
  var findings = FindingCollector()
  var undecided: [String] = []
  var events: UInt64 = 0
  var losses = Losses()
  /// Time of the last event that showed something move.
  var lastMoveTime: UInt64 = 0
  /// Of the last event judged; 0 before the first.
  var lastSeq: UInt64 = 0

  /// `judges` decide rules of the user's own, each another one. `floor` is the first event whose breaks are told in full; earlier ones are counted
  /// among a verdict's `places` only. With a `tally` the breaches that its allow-list names are expected, and all are counted by their places.
  public init(_ subject: Subject, judges: [any RuleJudge] = [], tellingFrom floor: UInt64 = 0, tally: BreachTally? = nil) {
    self.subject = subject
    findings.floor = floor
    findings.tally = tally
    facts = Facts(subject)
    protection = Protection(subject)
    stop = StopJudge(subject)
    tree = TreeJudge(subject)
    alerts = AlertJudge(subject)
    integrity = IntegrityJudge(subject)
    scout = RaceScout(subject)
    own = OwnJudges(judges)
  }

  /// Every event is judged.
  public var isDone: Bool { false }

  /// Judges one event held as a value: for hand-built sequences; streams come in batches.
  public mutating func consume(_ event: Event) {
    // SAFETY: no judge keeps a view past its call.
    unsafe event.data.withUnsafeBytes { bytes in
      if event.kind == .sessionEnd { noteSilence(until: event.time) }
      unsafe consume(EventView(event, bytes: bytes), event)
      if stop.hasMoved { noteMove(at: event.time) }
    }
  }

  private mutating func consume(_ event: borrowing EventView, _ value: Event) {
    let beginsTail = event.beginsTail
    if lastSeq > 0 || !beginsTail { noteGap(before: event.seq) }
    events += 1
    lastSeq = max(event.seq, lastSeq)
    if !own.isEmpty { own.judge(value, facts, &protection, &findings) }
    dispatch(event, Interests.judges(of: event.kind))
  }

  mutating func noteMove(at time: UInt64) {
    lastMoveTime = time
    stop.hasMoved = false
  }

  mutating func noteSilence(until time: UInt64) { stop.silence = time - min(lastMoveTime, time) }

  /// Shows an event to those that care. The tree's judge comes last of the judges: it moves `protection` on. (The others only look at that; it is lent
  /// to them `inout` because 6.3.1 copies a value of its size at each call that borrows it.)
  mutating func dispatch(_ event: borrowing EventView, _ judges: Interests) {
    if judges.contains(.engine) { noteSession(event) }
    if judges.contains(.stop) { stop.judge(event, &findings) }
    if judges.contains(.races) { scout.look(event, facts, &protection) }
    // Most writes are to pages that protection never had to do with: nobody below would look at them.
    let kind = event.kind
    if kind == .pageWrite || kind == .guestWrite, !protection.concerns(event.gpa >> 12) {
      if judges.contains(.facts) { facts.apply(event) }
      if findings.hasPending { findings.settle() }
      return
    }
    if judges.contains(.integrity) { integrity.judge(event, facts, &protection, &findings) }
    if judges.contains(.alerts) || alerts.isAfterHole { alerts.judge(event, facts, &protection, &findings) }
    if judges.contains(.tree) { tree.judge(event, facts, &protection, &findings) }
    if judges.contains(.modes) { protection.noteMode(event) }
    if judges.contains(.facts) { facts.apply(event) }
    if findings.hasPending { findings.settle() }
  }

  /// The verdict on everything fed so far. `isComplete` says that the file is whole: its reader found nothing missing at the end. A recording
  /// that did not end by itself is incomplete all the same.
  public consuming func finish(isComplete: Bool = true) -> Verdict {
    let complete = isComplete && losses.sessionEnded
    if !complete { losses.reportCut(after: lastSeq, &findings) }
    // At a size cap or a full disk the recorder stopped between any two events: what should have come next is not owed, but undecided.
    let ended = complete && !losses.stoppedForRoom
    stop.finish(facts, complete: ended, &findings, &undecided)
    integrity.finish(facts, complete: ended, &findings, &undecided)
    alerts.finish(facts, complete: ended, &findings, &undecided)
    tree.finish(facts, complete: ended, &findings, &undecided)
    if !own.isEmpty { own.finish(facts, &protection, isEnded: ended, &findings, &undecided) }
    if findings.hasPending { findings.settle() }
    let list = findings.findings.values.sorted { ($0.seq, $0.rule.name) < ($1.seq, $1.rule.name) }
    return Verdict(
      events: events, lost: losses.events, findings: list, undecided: undecided, isIncomplete: !complete || losses.isIncomplete,
      stopped: alerts.stopped, suspects: scout.finish(), places: findings.places, tally: findings.tally)
  }
}
