internal import TraceEvents
internal import TreeFormat

/// Judges the rules of the group `tree/`: is what the tree names traced in time, is it written by nobody else, is it a tree.
struct TreeJudge {
  /// What must be traced by the next operation of a vCPU.
  struct Obligation {
    enum Kind {
      case node, mapping
      /// A trace was taken off these pages: the tree must not name them.
      case removal
    }

    var kind: Kind
    var pages: FrameRange
    /// The link, or the removal.
    var seq: UInt64
    var vcpu: UInt16
    /// For a mapping: the leaf that holds it.
    var leaf: UInt64 = 0
  }

  /// A request for a trace that was answered with success, and what came of it.
  struct Request {
    var pages: FrameRange
    var seq: UInt64
    var answeredAt: UInt64
  }

  /// After so many the first few have been told; more cost memory only.
  static let obligationLimit = 1024
  static let requestLimit = 64

  var obligations: [Obligation] = []
  /// Requests that succeeded though the pages are not traced.
  var unfulfilled: [Request] = []
  /// Pages whose trace or naming changed since the last settled moment: only they can have become traced for nothing.
  var suspects = RangeSet()
  /// Where no write traps: what is not certain yet, when each known page was last told to be written, and what stays uncertain.
  var untrapped: [UntrappedWrite] = []
  var nodeWrites: [UInt64: UInt64] = [:]
  var undecidedWrites: UInt64 = 0
  var firstUndecided: UInt64 = 0
  var unreadableAt: UInt64 = 0
  let attribution: WriteAttribution
  /// Whether a trace makes writes trap in this recording. Where not, none is owed.
  let hasTraces: Bool

  init(_ subject: Analyzer.Subject) {
    attribution = subject.vcpuCount == 1 ? .everyWrite : subject.attribution
    hasTraces = subject.writes != .pages
  }

  /// Looks at the next event, and moves `protection` on: no other judge of it may come after.
  mutating func judge(
    _ event: borrowing EventView, _ facts: borrowing Facts, _ protection: inout Protection, _ findings: inout FindingCollector
  ) {
    switch event.kind {
    case .pageWrite:
      if protection.filter.isMarked(event.gpa >> 12) {
        if hasTraces { judgePageWrite(event, facts, &protection, &findings) } else { noteUntrapped(event, facts, &protection) }
      }
    case .guestEnter, .hypercall, .writeTrap:
      if event.kind == .guestEnter, !untrapped.isEmpty { settleUntrapped(event.vcpu, &findings) }
      if !obligations.isEmpty { settleObligations(event, &protection, &findings) }
    case .writeResult: judgeWriteResult(event, &protection, &findings)
    case .guestWrite: judgeGuestWrite(event, &protection, &findings)
    case .traceInstall:
      let pages = FrameRange(gpa: event.gpa, count: event.a)
      suspects.insert(pages.low, pages.end)
    case .traceRemove: owe(Obligation(kind: .removal, pages: FrameRange(gpa: event.gpa, count: event.a), seq: event.seq, vcpu: event.vcpu))
    case .hypercallResult: noteRequest(event, &protection)
    case .basePointerSet: judgeBase(event, &protection, &findings)
    case .integrityLeave: judgeSettled(event, &protection, &findings)
    default: break
    }
    protection.apply(event)
    let kind = event.kind
    if !hasTraces, kind == .basePointerSet || kind == .integrityLeave { noteReadability(event, &protection) }
    if !protection.tree.news.isEmpty { follow(event, &protection, &findings) }
  }

  /// A hole in the trace before the next event: what was pending is neither kept nor broken, and nothing may be reported that rests on it.
  mutating func forget() {
    obligations = []
    unfulfilled = []
    suspects.removeAll()
    untrapped = []
    nodeWrites = [:]
  }

  /// The trace is over. `complete` says that the recording ended by itself. What is still open goes into `undecided`.
  mutating func finish(_ facts: borrowing Facts, complete: Bool, _ findings: inout FindingCollector, _ undecided: inout [String]) {
    if !hasTraces { finishUntrapped(facts, complete: complete, &findings, &undecided) }
    guard let first = obligations.first, !complete else { return }
    let what = first.kind == .removal ? "the tree still names after the trace removal" : "must be traced since the link"
    undecided.append("whether the page \(gpaText(first.pages.low << 12)), which \(what) at \(first.seq): its vCPU did not go on")
  }

  /// An entry into the guest settles nothing.
  var isSettled: Bool { obligations.isEmpty && untrapped.isEmpty }

  mutating func owe(_ obligation: Obligation) {
    if hasTraces, obligations.count < Self.obligationLimit { obligations.append(obligation) }
  }

  /// A PROTECT that succeeded must have traced its pages; that it did not is worth telling when the tree comes to name them.
  private mutating func noteRequest(_ event: borrowing EventView, _ protection: inout Protection) {
    guard let call = protection.call(event.vcpu, seq: event.cause), call.number == Hypercall.protect, event.a == 0 else { return }
    let pages = FrameRange(gpa: call.first, count: call.second)
    guard protection.traced.firstUntraced(from: pages.low, to: pages.end) != nil else { return }
    if unfulfilled.count == Self.requestLimit { unfulfilled.removeFirst() }
    unfulfilled.append(Request(pages: pages, seq: call.seq, answeredAt: event.seq))
  }
}

/// The hypercalls that judges know by number (the guest's interface, `pagetape_abi.h`).
enum Hypercall {
  static let protect: UInt64 = 7
  static let unprotect: UInt64 = 8
  /// The status of a refused request, -3.
  static let refused = UInt64(bitPattern: -3)
}
