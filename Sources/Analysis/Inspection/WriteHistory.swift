public import TraceEvents
public import TraceFormat

/// Who wrote some bytes of guest memory, from an event backwards: fed with batches of events from the last to the first.
///
/// A page-write is no point but an interval, from its vCPU's `guest-enter` to the event. Two that meet on one page leave open whose write was whose;
/// and one whose event comes after the event asked for may have happened before it. Both are found and told (`WriteRecord.others`, `later`).
public struct WriteHistory: Sendable {
  public let bytes: GuestBytes
  /// The last event that counts.
  public let last: UInt64
  /// How many writes are kept.
  public let limit: Int

  /// Newest first: writes, at most `limit` of them and the newest that changed memory, and what was in the page between them.
  public private(set) var records: [WriteRecord] = []
  /// Page-writes told after `last` that may have happened before it. Newest first.
  public private(set) var later: [WriteRecord] = []
  /// Writes found, those beyond `limit` counted: all there are, where `isWhole`.
  public private(set) var total: UInt64 = 0
  /// Page-writes of the page that show no change of these bytes, as far as was read, and the newest of them.
  public private(set) var unchanged: UInt64 = 0
  public private(set) var lastUnchanged: UInt64?
  /// Places where events are missing: not in the file, or lost by the recorder (then the event that says so). Newest first, at most a thousand.
  public private(set) var holes: [Range<UInt64>] = []
  /// Everything back to the first event of the trace was read.
  public private(set) var isWhole = false

  /// Windows that are open at the point that the walk has come to, backwards: the page-write's event was met, its `guest-enter` was not.
  private var open = OpenWindows()
  /// Indices of records whose trap is still to come, by its number.
  private var awaited: [UInt64: Int] = [:]
  private var contentsCount = 0
  /// A write that changed memory was met.
  private var hasWriter = false
  private var executing: Set<UInt16>
  /// First event of the batch taken in last.
  private var first: UInt64?
  private static let holeLimit = 1000
  private static let laterLimit = 10_000
  /// Page-writes after `last`, oldest first.
  private var laterEvents: [Event] = []

  /// `executing` are the vCPUs that execute guest code right after `last`: what they write before their next exit may be told later.
  public init(of bytes: GuestBytes, through last: UInt64, limit: Int, executing: Set<UInt16>) {
    self.bytes = bytes
    self.last = min(last, 1 << 63)
    self.limit = limit
    self.executing = executing
  }

  /// Whether events after `last` are wanted, in order, before all others.
  public var wantsLater: Bool { !executing.isEmpty }

  /// Whether nothing more is needed but the count.
  public var hasEnough: Bool { records.count - contentsCount >= limit && hasWriter && open.isEmpty && awaited.isEmpty }

  // MARK: What comes after

  /// Takes in events after `last`.
  public mutating func addLater(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while wantsLater, cursor.next() {
        guard cursor.seq > last, executing.contains(cursor.vcpu) else { continue }
        switch cursor.kind {
        case .pageWrite: if bytes.meets(page: cursor.gpa), laterEvents.count < Self.laterLimit { laterEvents.append(cursor.event) }
        case .guestEnter, .guestExit, .vcpuOffline: executing.remove(cursor.vcpu)
        default: break
        }
      }
    }
  }

  private mutating func placeLater() {
    for event in laterEvents.reversed() { apply(event) }
    laterEvents = []
  }

  // MARK: Backwards

  /// Takes in the events before those of the batch taken in last. `missing` are events between the two that cannot be read.
  public mutating func add(_ batch: EventBatch, missing: Range<UInt64>?) {
    if !laterEvents.isEmpty { placeLater() }
    if let missing { note(missing) }
    first = batch.firstSeq
    for step in steps(of: batch) {
      switch step {
      case .event(let event): apply(event)
      case .enter(let vcpu, let seq): close(vcpu, at: seq)
      }
    }
    // A trap is an earlier event: where it was none, the instruction stays unknown.
    if !awaited.isEmpty { awaited = awaited.filter { $0.key < batch.firstSeq } }
  }

  /// Everything that can be read was. `isTail`: the trace begins with the event that stands for those that were let go of.
  public mutating func finish(isTail: Bool) {
    if !laterEvents.isEmpty { placeLater() }
    isWhole = true
    let start = (first ?? last + 1) + (isTail ? 1 : 0)
    if start > 1 { note(1..<start) }
  }

  private mutating func note(_ hole: Range<UInt64>) {
    if holes.count < Self.holeLimit { holes.append(hole) }
  }

  private enum Step {
    case event(Event)
    case enter(UInt16, seq: UInt64)

    var seq: UInt64 {
      switch self {
      case .event(let event): event.seq
      case .enter(_, let seq): seq
      }
    }
  }

  /// The events of a batch that matter, newest first, and the entries into the guest that begin their windows.
  private func steps(of batch: EventBatch) -> [Step] {
    var steps: [Step] = []
    var entries: [UInt16: UInt64] = [:]
    var lastEntry = [UInt64](repeating: 0, count: TraceLimits.vcpus)
    func takeEntry(_ vcpu: UInt16) {
      guard vcpu < TraceLimits.vcpus, lastEntry[Int(vcpu)] != 0, entries[vcpu] != lastEntry[Int(vcpu)] else { return }
      entries[vcpu] = lastEntry[Int(vcpu)]
      steps.append(.enter(vcpu, seq: lastEntry[Int(vcpu)]))
    }
    batch.withCursor { cursor in
      while cursor.next(), cursor.seq <= last {
        switch cursor.kind {
        case .guestEnter: if cursor.vcpu < TraceLimits.vcpus { lastEntry[Int(cursor.vcpu)] = cursor.seq }
        case .pageWrite:
          guard bytes.meets(page: cursor.gpa) else { continue }
          takeEntry(cursor.vcpu)
          steps.append(.event(cursor.event))
        case .writeResult, .guestWrite: if bytes.meets(cursor.gpa, cursor.dataCount / 2) { steps.append(.event(cursor.event)) }
        case .writeTrap, .regionAccess, .unmappedAccess: if bytes.meets(cursor.gpa, cursor.dataCount) { steps.append(.event(cursor.event)) }
        case .pageContents: if bytes.meets(page: cursor.gpa) { steps.append(.event(cursor.event)) }
        case .eventsLost: steps.append(.event(cursor.event))
        default: break
        }
      }
    }
    for vcpu in open.vcpus { takeEntry(vcpu) }
    return steps.sorted { $0.seq > $1.seq }
  }

  private mutating func apply(_ event: Event) {
    switch event.kind {
    case .pageWrite: applyPageWrite(event)
    case .writeResult, .guestWrite: applyWrite(event)
    case .writeTrap: applyTrap(event)
    case .pageContents: applyContents(event)
    case .regionAccess, .unmappedAccess:
      guard event.a == AccessKind.write.rawValue else { return }
      var record = record(event, .access, rip: event.rip)
      record.outcome = .dropped
      record.intended = piece(event.data, at: event.gpa)
      _ = keep(record)
    // The first event of a tail says how many came before it: the caller knows.
    case .eventsLost: if event.b != LossCause.flightRecorder.rawValue { note(event.seq..<event.seq + 1) }
    default: break
    }
  }

  private func record(_ event: Event, _ evidence: WriteRecord.Evidence, rip: UInt64? = nil) -> WriteRecord {
    WriteRecord(seq: event.seq, time: event.time, vcpu: event.vcpu, evidence: evidence, rip: rip)
  }

  private func piece(_ data: [UInt8], at gpa: UInt64) -> WriteRecord.Piece? {
    bytes.part(of: data, at: gpa).map { WriteRecord.Piece(gpa: $0.gpa, before: nil, after: $0.bytes) }
  }

  /// Keeps a write where there is room; its index.
  private mutating func keep(_ record: WriteRecord) -> Int? {
    total += 1
    guard records.count - contentsCount < limit || !hasWriter && record.hasLanded else { return nil }
    hasWriter = hasWriter || record.hasLanded
    records.append(record)
    return records.count - 1
  }

  // MARK: Kinds of evidence

  private mutating func applyWrite(_ event: Event) {
    let half = event.data.count / 2
    guard var piece = piece(Array(event.data.suffix(half)), at: event.gpa) else { return }
    piece.before = bytes.part(of: event.data.prefix(half), at: event.gpa)?.bytes
    var record = event.kind == .guestWrite ? record(event, .exact, rip: event.rip) : record(event, .trapped)
    record.pieces = [piece]
    if event.kind == .writeResult, event.a != WriteOutcome.applied.rawValue { record.outcome = .dropped }
    if let index = keep(record), event.kind == .writeResult, event.cause > 0 { awaited[event.cause] = index }
  }

  private mutating func applyTrap(_ event: Event) {
    let intended = piece(event.data, at: event.gpa)
    if let index = awaited.removeValue(forKey: event.seq) {
      records[index].rip = event.rip
      records[index].intended = intended
      return
    }
    // Its result would have been met: there is none up to `last`, unless it is beyond the writes that are kept.
    guard records.count - contentsCount < limit else { return }
    var record = record(event, .trapped, rip: event.rip)
    record.outcome = .undecided
    record.intended = intended
    _ = keep(record)
  }

  private mutating func applyContents(_ event: Event) {
    guard let piece = piece(event.data, at: event.gpa) else { return }
    if let newest = records.last, newest.evidence == .contents, newest.pieces == [piece] {
      records[records.count - 1].since = event.seq
      records[records.count - 1].repeats += 1
      return
    }
    guard contentsCount <= limit, records.count - contentsCount < limit else { return }
    var record = record(event, .contents)
    record.pieces = [piece]
    record.since = event.seq
    records.append(record)
    contentsCount += 1
  }

  private mutating func applyPageWrite(_ event: Event) {
    let page = event.gpa / guestPageSize
    let others = open.others(on: page, than: event.vcpu)
    for other in others {
      for place in open.tell(other, of: event.vcpu, on: page) { add(event.vcpu, to: place) }
    }
    let diff = PageDiff(event.data)
    let pieces = diff?.runs.compactMap { piece($0.bytes, at: page * guestPageSize + UInt64($0.offset)) }
    var place: OpenWindows.Place?
    if pieces?.isEmpty == true {
      if event.seq <= last {
        unchanged += 1
        lastUnchanged = lastUnchanged ?? event.seq
      }
    } else {
      var record = record(event, .page)
      // What is no difference may hide one.
      record.pieces = pieces ?? []
      record.others = others.sorted()
      if event.seq > last {
        if later.count < limit {
          later.append(record)
          place = .later(later.count - 1)
        }
      } else {
        place = keep(record).map { .kept($0) }
      }
    }
    open.add(event.vcpu, page: page, place)
  }

  private mutating func add(_ vcpu: UInt16, to place: OpenWindows.Place) {
    switch place {
    case .kept(let index): if !records[index].others.contains(vcpu) { records[index].others.append(vcpu) }
    case .later(let index): if !later[index].others.contains(vcpu) { later[index].others.append(vcpu) }
    }
  }

  private mutating func close(_ vcpu: UInt16, at seq: UInt64) {
    for place in open.close(vcpu) {
      switch place {
      case .kept(let index): records[index].since = seq
      case .later(let index): later[index].since = seq
      }
    }
  }
}

extension WriteHistory {
  /// Why the newest write found may not be the last one before `last`, or not its vCPU's.
  public enum Doubt: Hashable, Sendable {
    /// Events are missing after it.
    case missing(Range<UInt64>)
    /// A page-write told after `last` may have happened before it.
    case later(seq: UInt64, vcpu: UInt16)
    /// Other vCPUs wrote the page in the same interval.
    case others([UInt16])
    /// The host logs the first writer of a page alone.
    case firstWriter
    /// A trapped write that was not decided at `last`.
    case undecided(seq: UInt64)
    /// The page was written again, without a change that could be seen.
    case unchanged(seq: UInt64)
  }

  /// The newest write that changed memory; nil where none was found.
  public var writer: WriteRecord? { records.first(where: \.hasLanded) }

  /// What makes the answer uncertain; `attribution` as the trace's header has it.
  public func doubts(_ attribution: WriteAttribution) -> [Doubt] {
    let writer = writer
    var doubts = holes.filter { $0.upperBound - 1 > writer?.seq ?? 0 }.map { Doubt.missing($0) }
    if let record = later.last { doubts.append(.later(seq: record.seq, vcpu: record.vcpu)) }
    if let record = records.prefix(while: { $0.seq > writer?.seq ?? 0 }).first(where: { $0.outcome == .undecided }) {
      doubts.append(.undecided(seq: record.seq))
    }
    guard let writer else { return doubts }
    if let seq = lastUnchanged, seq > writer.seq { doubts.append(.unchanged(seq: seq)) }
    if writer.evidence == .page {
      if attribution == .firstWriter { doubts.append(.firstWriter) }
      if !writer.others.isEmpty { doubts.append(.others(writer.others)) }
    }
    return doubts
  }
}
