internal import Analyzer
internal import TraceEvents

/// Which page-writes of a page are one vCPU's alone.
///
/// What a page-write shows is what changed in its page since it was last seen, by whoever wrote it: its own vCPU since that entered the guest, and any
/// other that may have written the page in that time. One that did may tell so much later, when it leaves the guest. So a page-write is settled
/// only once everybody has told who was in the guest then.
struct PageWriters {
  private struct Window {
    var vcpu: UInt16
    var since: UInt64
    var seq: UInt64
    var isMixed = false
  }

  private static let limit = 512

  private var open: [Window] = []
  /// Page-writes that another vCPU's may be mixed up in.
  private(set) var mixed: Set<UInt64> = []
  /// The last of those that were too many to be kept open: they count as mixed, and so does whatever may have come before it.
  private var overflow: UInt64 = 0

  /// Takes in a page-write. `settled` is the first event that somebody may yet tell of.
  mutating func add(_ vcpu: UInt16, since: UInt64, seq: UInt64, settled: UInt64) {
    open.removeAll { $0.seq < settled && $0.seq < since }
    var isMixed = since <= overflow
    for index in open.indices where open[index].vcpu != vcpu && open[index].seq >= since {
      isMixed = true
      if !open[index].isMixed {
        open[index].isMixed = true
        mixed.insert(open[index].seq)
      }
    }
    if isMixed { mixed.insert(seq) }
    open.append(Window(vcpu: vcpu, since: since, seq: seq, isMixed: isMixed))
    if open.count > Self.limit {
      overflow = open.removeFirst().seq
      mixed.insert(overflow)
    }
  }

  mutating func forget() {
    open.removeAll()
    mixed.removeAll()
    overflow = 0
  }
}

/// Two accesses that race if each is its vCPU's alone: told once that is known.
struct PendingRace {
  var first: PageAccess
  var second: PageAccess
  var frame: UInt64
  /// What would have ordered them.
  var missing: String
}

extension RaceAnalysis {
  /// More than so many at a time are not kept.
  static let pendingLimit = 4096

  /// Everything before this event is settled: whoever was in the guest then has told what it wrote.
  var settled: UInt64 { vcpus.lazy.filter(\.isUntold).map(\.entered).min() ?? .max }

  /// Tells the races that are settled; at the end of the trace, or of what is known, all of them are.
  mutating func settle(all: Bool) {
    let floor = all ? UInt64.max : settled
    if !all, floor == lastSettled, floor != .max { return }
    lastSettled = floor
    var kept: [PendingRace] = []
    for race in pending {
      if max(race.first.seq, race.second.seq) >= floor {
        kept.append(race)
      } else if isCertain(race.first, race.frame), isCertain(race.second, race.frame) {
        tell(race)
      } else {
        if uncertain.count == 0 { uncertain.first = (race.first.seq, race.second.seq) }
        uncertain.count += 1
      }
    }
    pending = kept
    if findings.hasPending { findings.settle() }
  }

  /// Whether the vCPU is known to have touched the bytes that the access shows.
  private func isCertain(_ access: PageAccess, _ frame: UInt64) -> Bool {
    if access.since == nil || subject.isSerial { return true }
    return subject.attribution == .everyWrite && pages[frame]?.writers.mixed.contains(access.seq) == false
  }
}
