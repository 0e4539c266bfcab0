public import Analyzer
internal import HappensBefore
public import TraceEvents
public import TraceFormat
internal import TraceOrder

/// The rules `race/stop-window`, `race/protect-window` and `race/pages`: a second pass over a trace, with eyes for the suspected pages alone.
///
/// Two accesses race where they touch a common byte, one of them writes, and happens-before orders neither before the other (see `TraceOrder` for what
/// orders). That is said of the accesses, not of what they did to each other: a race is found in a run where it did not strike.
///
/// Of a page-write it is known which page it wrote, and what changed in the page since it was last seen. Where two vCPUs may have written a page at the
/// same time each may show what the other changed. Such a pair is no finding: it is counted, and left open.
public struct RaceAnalysis: ~Copyable, TracePass {
  struct VCPU {
    var mode = Mode.ordinary
    /// The rendezvous whose mode it is in.
    var rendezvous: UInt64 = 0
    var isInIntegrityMode = false
    var entered: UInt64 = 0
    /// It has been in the guest since, and what it wrote there may not be told yet.
    var isUntold = false
    /// The instruction of its last write that trapped.
    var trapRIP: UInt64 = 0
    /// Its last hypercall, and the address that returns to.
    var call: (seq: UInt64, rip: UInt64) = (0, 0)
    var signals = Signals()
  }

  /// What elevates an access.
  enum Mode: UInt8 {
    case ordinary, integrity, privileged
  }

  let subject: Analyzer.Subject
  /// By frame: the accesses so far that a later one may race with.
  var pages: [UInt64: PageAccesses] = [:]
  /// The suspected pages, ascending.
  let frames: [UInt64]
  /// Comparisons that may yet be made: some seconds of work.
  var budget = 1 << 26
  var vcpus: [VCPU]
  var clocks: TraceClocks
  var rendezvous = RendezvousRecord()
  var findings = FindingCollector()
  /// Races of a write with a change of its page's protection: what prediction starts from.
  var windows: [PredictionSeed] = []
  /// Accesses were too many to be kept.
  var isCut = false
  var pending: [PendingRace] = []
  /// Up to where they were last looked through.
  var lastSettled: UInt64 = 0
  /// Pairs that may be races: both wrote the page, and which bytes is not certain.
  var uncertain: (count: UInt64, first: (UInt64, UInt64)) = (0, (0, 0))

  static let seedLimit = 64
  static let cutText = "whether more races are in it: there were more accesses to compare than are kept"

  /// `floor` and `tally` as for `Analyzer`.
  public init(_ subject: Analyzer.Subject, _ suspects: RaceSuspects, tellingFrom floor: UInt64 = 0, tally: BreachTally? = nil) {
    self.subject = subject
    findings.floor = floor
    findings.tally = tally
    vcpus = Array(repeating: VCPU(), count: subject.vcpuCount)
    clocks = TraceClocks(vcpuCount: subject.vcpuCount)
    for (frame, since) in suspects.pages { pages[frame] = PageAccesses(specialSince: since) }
    frames = pages.keys.sorted()
  }

  /// Takes the events of one block, in order.
  public mutating func consume(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while cursor.next() {
        switch cursor.kind {
        case .guestEnter: noteEnter(cursor.vcpu, cursor.seq)
        case .pageWrite, .guestWrite, .writeResult, .regionAccess, .pageContents:
          if pages[cursor.gpa >> 12] != nil { consume(cursor.event) }
        case .hypercall: noteCall(cursor.vcpu, cursor.seq, cursor.rip)
        case .guestExit, .hypercallResult, .alert, .console: break
        default: consume(cursor.event)
        }
      }
    }
  }

  /// Takes one event.
  public mutating func consume(_ event: Event) {
    let index = Int(event.vcpu)
    switch event.kind {
    case .guestEnter: noteEnter(event.vcpu, event.seq)
    case .guestExit: break
    case .hypercall: noteCall(event.vcpu, event.seq, event.rip)
    case .eventsLost:
      if event.b != LossCause.dirtyRingOverflow.rawValue { forget() }
    case .pageContents: pages[event.gpa >> 12]?.contents.set(event.data)
    case .pageWrite, .guestWrite, .writeResult, .regionAccess:
      if index < vcpus.count { takeAccess(event) }
    case .writeTrap:
      if index < vcpus.count { vcpus[index].trapRIP = event.rip }
      clocks.take(event)
      if index < vcpus.count { takeAccess(event) }
    case .traceInstall, .traceRemove:
      // Its moment is before whoever waits for it.
      takeProtection(event)
      clocks.take(event)
    default:
      // Whatever it wrote in the guest has been told by now: that comes with its exit.
      noteTold(event.vcpu)
      noteSignal(event)
      if TraceOrder.concerns(event.kind) { clocks.take(event) }
      if index < vcpus.count { noteMode(event, index) }
    }
  }

  /// Something is missing before the next event: nothing is compared across the hole.
  private mutating func forget() {
    settle(all: true)
    clocks.forget()
    rendezvous = RendezvousRecord()
    for index in vcpus.indices { vcpus[index].signals = Signals() }
    for frame in pages.keys { pages[frame]?.forget() }
  }

  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) { forget() }

  /// Every access may race with an earlier one.
  public var isDone: Bool { false }

  /// What was found.
  public consuming func finish() -> RaceFindings {
    settle(all: true)
    var undecided: [String] = []
    if uncertain.count > 0 {
      let pairs = "\(uncertain.first.0) and \(uncertain.first.1)" + (uncertain.count > 1 ? ", or \(uncertain.count - 1) more pairs" : "")
      undecided.append("whether the page-writes \(pairs) race: both vCPUs wrote the page, and which of them wrote which byte is not certain")
    }
    if isCut { undecided.append(Self.cutText) }
    return RaceFindings(findings: Array(findings.findings.values), places: findings.places, undecided: undecided, seeds: windows, tally: findings.tally)
  }

  private mutating func noteEnter(_ vcpu: UInt16, _ seq: UInt64) {
    guard Int(vcpu) < vcpus.count else { return }
    vcpus[Int(vcpu)].entered = seq
    vcpus[Int(vcpu)].isUntold = true
  }

  private mutating func noteCall(_ vcpu: UInt16, _ seq: UInt64, _ rip: UInt64) {
    if Int(vcpu) < vcpus.count { vcpus[Int(vcpu)].call = (seq, rip) }
  }

  private mutating func noteTold(_ vcpu: UInt16) {
    if Int(vcpu) < vcpus.count { vcpus[Int(vcpu)].isUntold = false }
  }

  private mutating func noteMode(_ event: Event, _ index: Int) {
    switch event.kind {
    case .integrityEnter: vcpus[index].isInIntegrityMode = true
    case .integrityLeave: vcpus[index].isInIntegrityMode = false
    case .vcpuOnline, .vcpuOffline: vcpus[index].isInIntegrityMode = false
    case .modeEnter:
      vcpus[index].mode = .privileged
      vcpus[index].rendezvous = event.b
      return
    case .modeExit: break
    default: return
    }
    vcpus[index].mode = vcpus[index].isInIntegrityMode ? .integrity : .ordinary
  }
}

/// What `RaceAnalysis` has to say.
public struct RaceFindings: Sendable {
  public var findings: [Finding]
  /// By rule: the events at which it broke, as in a `Verdict`.
  public var places: [Rule: [UInt64]]
  /// What the trace does not settle.
  public var undecided: [String]
  /// For `Prediction`.
  public var seeds: [PredictionSeed]
  /// As in a `Verdict`.
  public var tally: BreachTally?
}
