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
    let count = accesses.count
    var span = accesses.mutableSpan
    for index in 0..<count {
      let other = span[index]
      if clocks.isOrdered(other.epoch, before: UInt16(access.epoch.thread)) {
        if Self.stands(access.kind, for: other.kind) { continue }
      } else if Self.conflict(other.kind, access.kind, isSpecial) {
        isRace = true
      }
      if kept != index { span[kept] = other }
      kept += 1
    }
    if kept == count {
      accesses.append(access)
      return isRace
    }
    span[kept] = access
    if kept + 1 < count { accesses.removeLast(count - kept - 1) }
    return isRace
  }

  /// Whether accesses of one sort conflict with everything that those of another do.
  @inline(__always) private static func stands(_ later: Kind, for earlier: Kind) -> Bool {
    later == earlier || (later == .elevatedWrite && earlier != .protection) || (later == .write && earlier == .attempt)
  }

  @inline(__always) private static func conflict(_ first: Kind, _ second: Kind, _ isSpecial: Bool) -> Bool {
    if first == .protection || second == .protection { return first != second && first != .touch && second != .touch }
    if first == .attempt || second == .attempt { return false }
    if first == .touch || second == .touch { return first == .elevatedWrite || second == .elevatedWrite }
    return isSpecial || first == .elevatedWrite || second == .elevatedWrite
  }
}
