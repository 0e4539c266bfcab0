internal import HappensBefore
internal import TraceEvents
internal import TraceOrder

/// Finds, in the one pass that judges every rule, the pages on which a race is possible at all: for `Races` to look at closely.
///
/// Page by page, not byte by byte, and without the events' data: a page is a suspect where two accesses to it are not ordered by happens-before and
/// one of them was made in an elevated mode, or the page holds a node, driver data or the region; or where a write and a change of the page's
/// protection are not ordered. Suspecting too much costs time only. For the page's ordinary writers the last epoch is kept, as FastTrack does.
struct RaceScout: ~Copyable {
  /// What the hot path must know of a vCPU: when it is, and whether what it writes is of interest by itself.
  struct VCPU: BitwiseCopyable {
    var time: UInt32 = 0
    /// Something was ordered since `time`, and what is known, were looked up.
    var isStale = false
    var isPrivileged = false
    var isInIntegrityMode = false
    /// The ack of a stop signal that it is in the stop state by, its moment, and the rendezvous; 0 for none.
    var ack: UInt64 = 0
    /// When it left the guest for that; the ack itself where it had left it before.
    var outSince: UInt64 = 0
    /// The last stop signal sent to it.
    var stop: UInt64 = 0
    var ackTime: UInt32 = 0
    var ackNumber: UInt64 = 0

    var isElevated: Bool { isPrivileged || isInIntegrityMode }
  }

  var vcpus: VCPUTable<VCPU>
  var pages: PageEpochs
  private var clocks: TraceClocks
  /// Of the vCPUs that are not stale.
  private var known: KnownTimes
  private var histories: [PageHistory] = []
  /// Where the history of a page is that `pages` has no room for.
  private var farHistories: [UInt64: Int] = [:]
  private(set) var suspects = RaceSuspects()
  /// Pages whose protection may yet change: a trace that changes that of millions, over and over, is not followed to the end.
  private var protectionBudget: UInt64 = 1 << 24
  private let region: GuestRange

  /// Pages with a history, at most: some hundred MiB.
  private static let historyLimit = 1 << 18
  private static let unknownLimit = 4096

  init(_ subject: Analyzer.Subject) {
    vcpus = VCPUTable(repeating: VCPU(isStale: true), count: subject.vcpuCount)
    pages = PageEpochs(vcpuCount: subject.vcpuCount)
    clocks = TraceClocks(vcpuCount: subject.vcpuCount)
    known = KnownTimes(vcpuCount: subject.vcpuCount)
    region = subject.region
  }

  /// Whether the vCPU's writes to ordinary pages are ordinary writes.
  @inline(__always)
  mutating func mayPass(_ vcpu: Int) -> Bool {
    guard vcpu < vcpus.count else { return false }
    if vcpus[vcpu].isStale { refresh(vcpu) }
    return !vcpus[vcpu].isElevated
  }

  /// Looked up when it is needed: of several signals in a row, with nothing done in between, one time is told.
  @inline(never)
  private mutating func refresh(_ vcpu: Int) {
    vcpus[vcpu].time = clocks.epoch(of: UInt16(vcpu)).time
    known.refresh(vcpu, clocks)
    vcpus[vcpu].isStale = false
  }

  /// The vCPU as a writer, until something is ordered: of one that `mayPass` was asked for.
  @inline(__always)
  func writer(_ vcpu: Int) -> PageEpochs.Writer {
    PageEpochs.Writer(vcpu: UInt16(truncatingIfNeeded: vcpu), time: vcpus[vcpu].time, known: known[vcpu])
  }

  /// An ordinary write to a page that protection has nothing to do with; false where `look` must be called instead.
  @inline(__always)
  mutating func pass(_ frame: UInt64, by writer: PageEpochs.Writer) -> Bool { pages.passes(frame, by: writer) || takeOver(frame, writer) }

  /// The same where nobody wrote the page before, or somebody whose write is not known to this vCPU; false where the page has a history.
  @inline(never)
  private mutating func takeOver(_ frame: UInt64, _ writer: PageEpochs.Writer) -> Bool {
    switch pages[frame].owner {
    case PageEpochs.watched: return false
    case PageEpochs.nobody:
      pages[frame] = PageEpochs.Record(time: writer.time, owner: writer.vcpu)
      return true
    case PageEpochs.shared: break
    default: pages.share(frame)
    }
    if pages[frame].owner == PageEpochs.shared { pages.note(frame, by: writer) }
    return true
  }

  /// A write of a vCPU in an elevated mode to a page that protection has nothing to do with.
  @inline(never)
  mutating func noteElevatedWrite(_ vcpu: Int, _ gpa: UInt64, at seq: UInt64) {
    let access = PageHistory.Access(epoch: clocks.epoch(of: UInt16(vcpu)), kind: .elevatedWrite)
    add(access, to: gpa >> 12, isSpecial: region.contains(gpa), at: seq)
  }

  /// Takes in any other event.
  mutating func look(_ event: borrowing EventView, _ facts: borrowing Facts, _ protection: inout Protection) {
    guard follows else {
      suspects.isCut = true
      return
    }
    switch event.kind {
    case .pageWrite, .guestWrite: note(event, isWrite: true, &protection)
    case .writeTrap:
      clocks.takeTrap(of: event.vcpu, on: event.gpa >> 12, at: event.seq)
      if Int(event.vcpu) < vcpus.count { vcpus[Int(event.vcpu)].isStale = true }
      note(event, isWrite: false, &protection)
    case .writeResult:
      if event.a == WriteOutcome.applied.rawValue { note(event, isWrite: true, &protection) }
    case .regionAccess: note(event, isWrite: false, &protection)
    case .traceInstall, .traceRemove:
      // Its moment is before whoever waits for it.
      noteProtection(event)
      order(event)
    case .guestEnter, .guestExit, .hypercall, .hypercallResult, .pageContents, .alert: break
    default:
      if event.kind == .stopAck, Int(event.vcpu) < vcpus.count {
        noteAck(event.vcpu, to: event.cause, event.b, facts, at: event.seq)
        return
      }
      if TraceOrder.concerns(event.kind) { order(event) }
      noteMode(event)
    }
  }

  /// What is there to look at more closely.
  func finish() -> RaceSuspects {
    var suspects = suspects
    // An order too many may hide a race, and so may a page that was not kept.
    if pages.isCut || clocks.unknownSources > 0 { suspects.isCut = true }
    return suspects
  }

  /// A hole: no order is known across it, so nothing before it is compared with anything behind it.
  mutating func forget() {
    clocks.forget()
    pages.removeAll()
    histories.removeAll()
    farHistories.removeAll()
    for index in vcpus.indices { vcpus[index].ack = 0 }
  }

  // MARK: Order

  private mutating func order(_ event: borrowing EventView) {
    clocks.take(event.value(withData: event.kind == .regionMap))
    let index = Int(event.vcpu)
    if index < vcpus.count { vcpus[index].isStale = true }
  }

  /// Whether the trace is still followed: one whose events name what is not there, over and over, is not.
  var follows: Bool { clocks.unknownSources < Self.unknownLimit }

  /// A stop signal to one of the vCPUs.
  mutating func noteStop(of target: Int, from vcpu: UInt16, at seq: UInt64) {
    clocks.takeStop(to: UInt64(target), from: vcpu, at: seq)
    vcpus[Int(vcpu)].isStale = true
    vcpus[target].stop = seq
  }

  mutating func noteAck(_ vcpu: UInt16, to stop: UInt64, _ number: UInt64, _ facts: borrowing Facts, at seq: UInt64) {
    let index = Int(vcpu)
    // An ack is something done: whoever waited for it knows of its moment, whoever did not does not.
    vcpus[index].ackTime = clocks.epoch(of: vcpu).time
    clocks.takeAck(of: vcpu, to: stop, at: seq)
    vcpus[index].isStale = true
    vcpus[index].ack = seq
    vcpus[index].outSince = facts.vcpus[index].lastExit > vcpus[index].stop ? facts.vcpus[index].lastExit : seq
    vcpus[index].ackNumber = number
  }

  mutating func noteResume(from vcpu: UInt16, after cause: UInt64, at seq: UInt64) {
    clocks.takeResume(from: vcpu, after: cause, at: seq)
    vcpus[Int(vcpu)].isStale = true
  }

  mutating func noteWake(_ vcpu: UInt16, by resume: UInt64, at seq: UInt64) {
    clocks.takeWake(of: vcpu, by: resume, at: seq)
    vcpus[Int(vcpu)].isStale = true
    vcpus[Int(vcpu)].ack = 0
  }

  /// Who is elevated, by the same events as everywhere; and who was stopped, for the map that should have waited for it.
  private mutating func noteMode(_ event: borrowing EventView) {
    let index = Int(event.vcpu)
    guard index < vcpus.count else { return }
    switch event.kind {
    case .integrityEnter: vcpus[index].isInIntegrityMode = true
    case .integrityLeave: vcpus[index].isInIntegrityMode = false
    case .modeEnter: vcpus[index].isPrivileged = true
    case .modeExit: vcpus[index].isPrivileged = false
    case .vcpuOnline, .vcpuOffline: vcpus[index] = VCPU(isStale: true)
    case .resumeTake: vcpus[index].ack = 0
    case .stopSend:
      if event.a < UInt64(vcpus.count) { vcpus[Int(event.a)].stop = event.seq }
    case .regionMap: suspectAcks(event)
    default: break
    }
  }

  /// An ack that came before the map, though the map did not wait for it.
  private mutating func suspectAcks(_ map: borrowing EventView) {
    let (mapper, number) = (Int(map.vcpu), map.b)
    for peer in 0..<vcpus.count where peer != mapper && vcpus[peer].ack != 0 && vcpus[peer].ackNumber == number {
      let epoch = Clocks.Epoch(thread: Int32(peer), time: vcpus[peer].ackTime)
      if !clocks.isOrdered(epoch, before: map.vcpu) { 
        suspects.add(RaceSuspects.Order(early: vcpus[peer].outSince, ack: vcpus[peer].ack, late: map.seq, vcpu: UInt16(peer)))
      }
    }
  }

  // MARK: Accesses

  private mutating func note(_ event: borrowing EventView, isWrite: Bool, _ protection: inout Protection) {
    let index = Int(event.vcpu)
    guard index < vcpus.count else { return }
    let frame = event.gpa >> 12
    let isElevated = vcpus[index].isElevated
    let isInRegion = region.contains(event.gpa)
    if isWrite, mayPass(index), !isInRegion, !protection.concerns(frame), pass(frame, by: writer(index)) { return }
    let kind: PageHistory.Kind =
      isWrite ? (isElevated ? .elevatedWrite : .write) : event.kind == .regionAccess ? .touch : .attempt
    add(PageHistory.Access(epoch: clocks.epoch(of: event.vcpu), kind: kind), to: frame, isSpecial: isInRegion || protection.isSpecial(frame), at: event.seq)
  }

  private mutating func add(_ access: PageHistory.Access, to frame: UInt64, isSpecial: Bool, at seq: UInt64) {
    if suspects.isSettled(frame) { return }
    guard let index = historyIndex(of: frame) else {
      suspects.isCut = true
      return
    }
    if histories[index].add(access, isSpecial: isSpecial, &clocks) {
      suspects.add(frame, specialSince: isSpecial ? seq : .max)
      // It may yet become special.
      if isSpecial { histories[index] = PageHistory() }
    }
  }

  /// Where the page's accesses are kept, from here on if they were not; nil where there is no more room.
  private mutating func historyIndex(of frame: UInt64) -> Int? {
    let record = pages[frame]
    if record.owner == PageEpochs.watched { return Int(record.time) }
    if !farHistories.isEmpty, let index = farHistories[frame] { return index }
    guard histories.count < Self.historyLimit else { return nil }
    let index = histories.count
    histories.append(PageHistory(pages.take(frame, for: UInt32(index))))
    if pages[frame].owner != PageEpochs.watched { farHistories[frame] = index }
    return index
  }

  /// A change of protection is compared with every write of its pages.
  private mutating func noteProtection(_ event: borrowing EventView) {
    let range = FrameRange(gpa: event.gpa, count: event.a)
    let access = PageHistory.Access(epoch: clocks.epoch(of: event.vcpu), kind: .protection)
    let count = range.end - range.low
    guard count <= protectionBudget else {
      suspects.isCut = true
      return
    }
    protectionBudget -= count
    for frame in range.low..<range.end { add(access, to: frame, isSpecial: false, at: event.seq) }
  }
}

extension Protection {
  /// Whether accesses to the page must be ordered whoever makes them: it stores a node, or is the driver's.
  func isSpecial(_ frame: UInt64) -> Bool { tree.isReached(frame) || registration.driverPageKind(of: frame) != nil }
}

extension EventView {
  /// The event as a value, but for its time.
  func value(withData: Bool) -> Event {
    Event(kind, vcpu: vcpu, seq: seq, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: withData ? data : [])
  }
}
