internal import HappensBefore
internal import TraceOrder

/// The accesses to one page that a later one may not be ordered after: of each vCPU and sort the last, without those that all later ones are known to
/// follow.
///
/// An access that is ordered before a later one can go if that conflicts with all that it does: what is not ordered after the earlier is not ordered after
/// the later either.
struct PageHistory {
  enum Kind: UInt8 {
    case write, elevatedWrite
    /// Of the region while it is not in the view.
    case touch
    /// A write that trapped, whatever became of it.
    case attempt
    /// A trace was installed or removed.
    case protection
  }

  struct Access: BitwiseCopyable {
    var epoch: Clocks.Epoch
    var kind: Kind
  }

  private var accesses: [Access]

  init(_ writes: [(vcpu: Int, time: UInt32)] = []) {
    accesses = writes.map { Access(epoch: Clocks.Epoch(thread: Int32($0.vcpu), time: $0.time), kind: .write) }
  }

  /// Takes in an access; true where it makes the page a suspect.
  mutating func add(_ access: Access, isSpecial: Bool, _ clocks: inout TraceClocks) -> Bool {
    var kept = 0
    var isRace = false
    for index in accesses.indices {
      let other = accesses[index]
      let isBefore = clocks.isOrdered(other.epoch, before: UInt16(access.epoch.thread))
      if !isBefore, Self.conflict(other.kind, access.kind, isSpecial) { isRace = true }
      if isBefore, Self.stands(access.kind, for: other.kind) { continue }
      accesses[kept] = other
      kept += 1
    }
    accesses.removeLast(accesses.count - kept)
    accesses.append(access)
    return isRace
  }

  /// Whether accesses of one sort conflict with everything that those of another do.
  private static func stands(_ later: Kind, for earlier: Kind) -> Bool {
    later == earlier || (later == .elevatedWrite && earlier != .protection) || (later == .write && earlier == .attempt)
  }

  private static func conflict(_ first: Kind, _ second: Kind, _ isSpecial: Bool) -> Bool {
    if first == .protection || second == .protection { return first != second && first != .touch && second != .touch }
    if first == .attempt || second == .attempt { return false }
    if first == .touch || second == .touch { return first == .elevatedWrite || second == .elevatedWrite }
    return isSpecial || first == .elevatedWrite || second == .elevatedWrite
  }
}
