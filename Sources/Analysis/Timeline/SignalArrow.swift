/// A signal of the stop protocol: sent by one vCPU, taken by another, or never.
public struct SignalArrow: Hashable, Sendable {
  public enum Kind: UInt8, Sendable {
    /// `stop-send` to `stop-ack`.
    case stop = 0
    /// `resume-send` to `resume-take`.
    case resume
  }

  public var kind: Kind
  public var from: UInt16
  public var to: UInt16
  public var rendezvous: UInt64
  public var sent: LanePoint
  /// Nil where it never was, or where the event is missing.
  public var taken: LanePoint?
}

/// The signals of a trace, or of every so many rendezvous where there are too many to keep.
public struct SignalLog: Sendable {
  public private(set) var arrows: [SignalArrow] = []
  /// Signals sent.
  public private(set) var total: UInt64 = 0
  /// Signals of one rendezvous in so many are kept, and all of those near what is watched.
  public private(set) var stride = 1

  /// What is on its way to each vCPU: the latest of each kind.
  private var pending: [SignalArrow?]
  /// Of each arrow: the how-manieth rendezvous it belongs to.
  private var ordinals: [Int] = []
  private var ordinal = 0
  private var rendezvous: UInt64 = 0
  private let limit: Int
  private let kept: [ClosedRange<UInt64>]

  init(vcpuCount: Int, limit: Int, keeping kept: [ClosedRange<UInt64>]) {
    pending = Array(repeating: nil, count: vcpuCount * 2)
    self.limit = limit
    self.kept = kept
  }

  mutating func send(_ kind: SignalArrow.Kind, from: UInt16, to: UInt64, rendezvous: UInt64, at point: LanePoint) {
    total += 1
    guard to < UInt64(pending.count / 2) else { return }
    let slot = Int(to) * 2 + Int(kind.rawValue)
    // The one before was not taken, and is not waited for any more.
    if let lost = pending[slot] { store(lost) }
    pending[slot] = SignalArrow(kind: kind, from: from, to: UInt16(to), rendezvous: rendezvous, sent: point)
  }

  mutating func take(_ kind: SignalArrow.Kind, by vcpu: UInt16, cause: UInt64, at point: LanePoint) {
    let slot = Int(vcpu) * 2 + Int(kind.rawValue)
    guard slot < pending.count, var arrow = pending[slot], arrow.sent.seq == cause else { return }
    arrow.taken = point
    pending[slot] = nil
    store(arrow)
  }

  /// Nothing more comes.
  mutating func finish() {
    for slot in pending.indices {
      if let lost = pending[slot] { store(lost) }
      pending[slot] = nil
    }
    arrows.sort { ($0.sent.seq, $0.to) < ($1.sent.seq, $1.to) }
    ordinals = []
  }

  private mutating func store(_ arrow: SignalArrow) {
    if arrow.rendezvous != rendezvous { (rendezvous, ordinal) = (arrow.rendezvous, ordinal + 1) }
    guard ordinal % stride == 0 || isKept(arrow), arrows.count < limit * 2 else { return }
    arrows.append(arrow)
    ordinals.append(ordinal)
    if arrows.count == limit { thin() }
  }

  /// Halves what is kept. Rendezvous stay whole; where numbers do not tell them apart, nothing more is kept than twice the limit.
  private mutating func thin() {
    stride *= 2
    let left = arrows.indices.filter { ordinals[$0] % stride == 0 || isKept(arrows[$0]) }
    arrows = left.map { arrows[$0] }
    ordinals = left.map { ordinals[$0] }
  }

  private func isKept(_ arrow: SignalArrow) -> Bool { kept.meets(arrow.sent.seq...max(arrow.taken?.seq ?? 0, arrow.sent.seq)) }
}

extension [ClosedRange<UInt64>] {
  /// Whether one of these ranges, which ascend and lie apart, shares a number with `range`.
  func meets(_ range: ClosedRange<UInt64>) -> Bool {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].upperBound < range.lowerBound { low = middle + 1 } else { high = middle }
    }
    return low < count && self[low].lowerBound <= range.upperBound
  }
}
