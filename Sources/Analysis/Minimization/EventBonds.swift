internal import TraceEvents

/// Which events of a trace belong together: what is left out is left out whole.
///
/// Events of one *unit* stay or go together: a signal with its answer, a rendezvous, an installation with its removal, a hypercall with all that came of
/// it. A *transaction* is larger: all that a driver does to its tree from its entry into integrity mode to its leave. An event *needs* others: what its
/// vCPU was in when it happened, and what it names as its cause. It goes with them, and they can do without it.
struct EventBonds {
  /// By event: the first event of its unit.
  let units: [Int32]
  /// By event: the first event of the transaction, or of the unit where it is in none.
  let transactions: [Int32]
  /// By event: `needsPerEvent` others, -1 for none.
  let needs: [Int32]
  static let needsPerEvent = 7

  /// What a need is for.
  enum Need: Int {
    /// What the event names as its cause.
    case cause = 0
    /// The vCPU came online.
    case online
    /// It is stopped, or in the privileged mode.
    case place
    case integrity
    /// It entered the guest, where it wrote.
    case entry
    /// It halted, or made a hypercall that is not answered.
    case activity
    /// The rendezvous was claimed; the trace was installed; the interrupt was latched already.
    case other
  }

  init(_ events: [Event], vcpuCount: Int) {
    var builder = Builder(count: events.count, vcpuCount: vcpuCount)
    for index in events.indices { builder.take(events[index], Int32(index)) }
    units = builder.units.settled()
    transactions = builder.transactions.settled()
    needs = builder.needs
  }

  func need(_ event: Int32, _ need: Need) -> Int32 { needs[Int(event) * Self.needsPerEvent + need.rawValue] }
}

extension EventBonds {
  /// Goes through the events once.
  struct Builder {
    /// Where a vCPU is, as indices of events; -1 for nowhere.
    struct VCPU {
      var online: Int32 = -1
      var place: Int32 = -1
      var integrity: Int32 = -1
      var entry: Int32 = -1
      var halt: Int32 = -1
      var hypercall: Int32 = -1
      var latched: Int32 = -1
    }

    struct Pages: Hashable {
      var gpa: UInt64
      var count: UInt64
    }

    var needs: [Int32]
    var units: DisjointSets
    var transactions: DisjointSets
    var vcpus: [VCPU]
    /// By number of the event.
    var indices: [UInt64: Int32] = [:]
    /// By number of the rendezvous: its claim.
    var claims: [UInt64: Int32] = [:]
    var installs: [Pages: Int32] = [:]
    /// By first page.
    var installsAt: [UInt64: Int32] = [:]
    /// The installation whose pages' contents come now.
    var lastInstall: (index: Int32, pages: Pages)?

    init(count: Int, vcpuCount: Int) {
      needs = Array(repeating: -1, count: count * EventBonds.needsPerEvent)
      units = DisjointSets(count)
      transactions = units
      vcpus = Array(repeating: VCPU(), count: vcpuCount)
      indices.reserveCapacity(1 << 12)
    }

    /// These two stay or go together.
    mutating func bond(_ index: Int32, _ other: Int32) {
      guard other >= 0 else { return }
      units.join(index, other)
      transactions.join(index, other)
    }

    mutating func set(_ index: Int32, _ need: Need, _ other: Int32) {
      if other != index { needs[Int(index) * EventBonds.needsPerEvent + need.rawValue] = other }
    }

    func index(of seq: UInt64) -> Int32 { seq == 0 ? -1 : indices[seq] ?? -1 }
  }
}

/// Sets of numbers that are joined one by one.
struct DisjointSets {
  private var parents: [Int32]

  init(_ count: Int) { parents = Array(0..<Int32(count)) }

  private mutating func root(_ index: Int32) -> Int32 {
    var at = index
    while parents[Int(at)] != at {
      parents[Int(at)] = parents[Int(parents[Int(at)])]
      at = parents[Int(at)]
    }
    return at
  }

  mutating func join(_ one: Int32, _ other: Int32) {
    let (one, other) = (root(one), root(other))
    parents[Int(max(one, other))] = min(one, other)
  }

  /// By number: the smallest of its set.
  mutating func settled() -> [Int32] { parents.indices.map { root(Int32($0)) } }
}
