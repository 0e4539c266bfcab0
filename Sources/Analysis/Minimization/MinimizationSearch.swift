internal import Analyzer
internal import TraceEvents
internal import TraceFormat

/// The search for a small part of a trace that shows a finding.
///
/// First it finds a beginning: what comes before the finding, without all that has to do with another mechanism where that goes; of that the events
/// most likely needed, twice as many each time, until the finding shows. Then it shrinks what it has (`MinimizationSearch+Shrinking.swift`).
/// In the end what was cut off behind the finding comes back, where it completes what is left and the finding still shows.
struct MinimizationSearch {
  let all: NumberedEvents
  let bonds: EventBonds
  let scores: [UInt64]
  var tests = 0

  let target: MinimizationTarget
  let minimizer: TraceMinimizer
  private let collected: EventCollector
  /// Where traces were put on pages.
  let installs: [Int32]
  /// By event: whether it must stay.
  private(set) var isFixed: [Bool]
  var effort = TraceMinimizer.effort
  /// What goes as a whole now, by event.
  private(set) var units: [Int32] { didSet { members = UnitMembers(units) } }
  private var members: UnitMembers
  /// Indices of events, ascending.
  var kept: [Int32] = []
  /// For the question at hand: events that go, units that go or are there.
  var gone: Marks
  var marked: Marks

  /// A result of fewer events is made whole again behind the finding.
  private static let shortLimit = 100

  init(_ collected: EventCollector, _ target: MinimizationTarget, _ minimizer: TraceMinimizer) {
    self.collected = collected
    self.target = target
    self.minimizer = minimizer
    bonds = EventBonds(collected.events, vcpuCount: minimizer.header.vcpuCount)
    units = bonds.transactions
    members = UnitMembers(units)
    installs = collected.events.indices.filter { collected.events[$0].kind == .traceInstall }.map(Int32.init)
    gone = Marks(units.count)
    marked = gone
    all = NumberedEvents(collected.events, lastSeq: collected.lastSeq, bonds: bonds)
    isFixed = collected.scores.map { $0 == 0 }
    if let hole = collected.lastHole { isFixed[hole] = true }
    // A unit is as relevant as its most relevant event.
    let units = bonds.units
    var best = collected.scores
    for index in best.indices { best[Int(units[index])] = min(best[Int(units[index])], collected.scores[index]) }
    scores = units.map { best[Int($0)] }
  }

  mutating func run() throws(MinimizationError) -> [Int32] {
    guard begin() else { throw MinimizationError.outOfReach(target.finding, collected) }
    shrinkAll()
    units = bonds.units
    shrinkAll()
    let whole = closure(of: kept) { _ in true }
    if whole.count > kept.count, whole.count < Self.shortLimit, shows(whole) {
      kept = whole
      dropVCPUs()
    }
    return kept
  }

  // MARK: Beginning

  /// Finds a part that shows the finding; false where not even everything does.
  private mutating func begin() -> Bool {
    let last = target.mentioned.max() ?? .max
    for horizon in [last, last &+ 256, last &+ 8192, .max] {
      let isAllowed = all.events.indices.map { isFixed[$0] || all.events[$0].seq <= horizon }
      let prefix = all.events.indices.filter { isAllowed[$0] }.map(Int32.init)
      guard shows(prefix) else { continue }
      kept = prefix
      leaveOutMechanisms()
      grow()
      return true
    }
    return false
  }

  /// A finding of the stop protocol mostly shows without any protection, and the other way round.
  private mutating func leaveOutMechanisms() {
    let there = membership()
    let needed = Set(closure(of: kept.filter { isFixed[Int($0)] }, where: there.contains).map { units[Int($0)] })
    for isOther in [Self.isProtection, Self.isRendezvous] {
      let others = kept.filter { isOther(all.events[Int($0)].kind) }.map { units[Int($0)] }
      if let rest = rest(without: Set(others).subtracting(needed)) { _ = keep(rest) }
    }
  }

  private static func isProtection(_ kind: EventKind) -> Bool {
    switch kind {
    case .traceInstall, .traceRemove, .pageContents, .writeTrap, .writeResult, .entryPointSet, .driverPagesSet, .basePointerSet, .registrationLocked,
      .integrityEnter, .integrityLeave, .refusal, .alert:
      true
    default: false
    }
  }

  private static func isRendezvous(_ kind: EventKind) -> Bool {
    kind.rawValue >= EventKind.privilegedRaise.rawValue && kind.rawValue <= EventKind.modeReturn.rawValue
  }

  /// The likeliest of what is kept, as few as show the finding.
  private mutating func grow() {
    let there = membership()
    let order = kept.sorted { (scores[Int($0)], $0) < (scores[Int($1)], $1) }
    let fixed = kept.filter { isFixed[Int($0)] }
    var size = 32
    while size < order.count {
      if keep(closure(of: fixed + order[..<size], where: there.contains)) { return }
      size *= 2
    }
  }

  /// These events and all that they cannot be without, ascending, as far as `isAllowed` says.
  mutating func closure(of indices: [Int32], where isAllowed: (Int32) -> Bool) -> [Int32] {
    gone.clear()
    var open = indices
    var taken: [Int32] = []
    while let next = open.popLast() {
      if gone.contains(next) { continue }
      gone.insert(next)
      taken.append(next)
      for need in 0..<EventBonds.needsPerEvent {
        let other = bonds.needs[Int(next) * EventBonds.needsPerEvent + need]
        if other >= 0, isAllowed(other), !gone.contains(other) { open.append(other) }
      }
      for other in members[units[Int(next)]] where isAllowed(other) && !gone.contains(other) { open.append(other) }
    }
    return taken.sorted()
  }

  /// Whether an event is among `kept`.
  func membership() -> Marks {
    var there = Marks(units.count)
    for index in kept { there.insert(index) }
    return there
  }
}

/// The events of each unit.
struct UnitMembers {
  private var starts: [Int32]
  private var events: [Int32]

  init(_ units: [Int32]) {
    starts = Array(repeating: 0, count: units.count + 1)
    for unit in units { starts[Int(unit) + 1] += 1 }
    for index in units.indices { starts[index + 1] += starts[index] }
    var next = starts
    events = Array(repeating: 0, count: units.count)
    for (index, unit) in units.enumerated() {
      events[Int(next[Int(unit)])] = Int32(index)
      next[Int(unit)] += 1
    }
  }

  subscript(_ unit: Int32) -> ArraySlice<Int32> { events[Int(starts[Int(unit)])..<Int(starts[Int(unit) + 1])] }
}
