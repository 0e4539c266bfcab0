/// Which vCPUs may act at a time.
public enum Schedule: Hashable, Sendable {
  /// All at once, each on its own thread: as the host's scheduler has it.
  case parallel
  /// One at a time, and where to switch is drawn from the seed: one seed, one stream of events.
  case serial(seed: UInt64)

  /// For the trace's header.
  public var name: String {
    switch self {
    case .parallel: "parallel"
    case .serial: "serial"
    }
  }

  public var seed: UInt64? {
    if case .serial(let seed) = self { return seed }
    return nil
  }
}

/// Whose turn it is in a serial schedule. A plain value: the session keeps it under its lock and makes the threads obey.
///
/// Turns are drawn evenly from the vCPUs that are not waiting. The n-th draw depends on the seed, on n and on who can act, and on nothing else.
package struct TurnOrder: Hashable, Sendable {
  private let seed: UInt64
  private var draws: UInt64 = 0
  private var canAct: [Bool]
  /// Nil while nobody can act.
  package private(set) var holder: Int?

  /// Everybody can act; vCPU 0 begins.
  package init(vcpuCount: Int, seed: UInt64) {
    self.seed = seed
    canAct = Array(repeating: true, count: vcpuCount)
    holder = 0
  }

  package var others: Bool { canAct.indices.contains { canAct[$0] && $0 != holder } }

  /// Draws the next turn. With `yielding`, the holder is passed over where anybody else can act.
  package mutating func pass(yielding: Bool = false) {
    var candidates = canAct.indices.filter { canAct[$0] }
    if yielding, candidates.count > 1 { candidates.removeAll { $0 == holder } }
    guard candidates.count > 1 else {
      holder = candidates.first
      return
    }
    holder = candidates[Int(draw() % UInt64(candidates.count))]
  }

  /// The vCPU waits or is done; if it had the turn, the next one is drawn.
  package mutating func block(_ vcpu: Int) {
    canAct[vcpu] = false
    if holder == vcpu { pass() }
  }

  /// The vCPU can act again. It takes the turn only where nobody has it.
  package mutating func unblock(_ vcpu: Int) {
    canAct[vcpu] = true
    if holder == nil { holder = vcpu }
  }

  /// The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) on a counter.
  private mutating func draw() -> UInt64 {
    draws &+= 1
    var z = seed &+ draws &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
