internal import TraceEvents

/// Which pages carry a write trace, by the trace service's own events.
struct TracedPages {
  private struct Removal {
    var low: UInt64
    var end: UInt64
    var seq: UInt64
    var vcpu: UInt16
  }

  private static let removalLimit = 256

  private(set) var pages = RangeSet()
  /// After a hole: pages that are known not to be traced. Before one, that is every page that is not in `pages`.
  private var removedSinceHole = RangeSet()
  private var hadHole = false
  /// The latest removals, oldest first.
  private var removals: [Removal] = []
  private var forgottenRemovalAt: UInt64 = 0

  init() {}

  /// Certainly traced now.
  func isTraced(_ frame: UInt64) -> Bool { pages.contains(frame) }

  /// Certainly not traced now.
  func isUntraced(_ frame: UInt64) -> Bool {
    !pages.contains(frame) && (!hadHole || removedSinceHole.contains(frame))
  }

  /// The first page of the range that is certainly not traced.
  func firstUntraced(from low: UInt64, to end: UInt64) -> UInt64? {
    if !hadHole { return pages.firstMissing(from: low, to: end) }
    guard let span = removedSinceHole.next(from: low) else { return nil }
    let frame = max(low, span.low)
    return frame < end ? frame : nil
  }

  /// Certainly not traced from `seq` until now.
  func isUntraced(_ frame: UInt64, since seq: UInt64) -> Bool {
    guard isUntraced(frame), seq >= forgottenRemovalAt else { return false }
    return !removals.contains { $0.seq > seq && frame >= $0.low && frame < $0.end }
  }

  /// Seq of the last remembered removal of the page's trace.
  func removedAt(_ frame: UInt64) -> UInt64? {
    removals.last { frame >= $0.low && frame < $0.end }?.seq
  }

  mutating func apply(_ event: borrowing EventView) {
    let range = FrameRange(gpa: event.gpa, count: event.a)
    if event.kind == .traceInstall {
      pages.insert(range.low, range.end)
      if hadHole { removedSinceHole.remove(range.low, range.end) }
      return
    }
    pages.remove(range.low, range.end)
    if hadHole { removedSinceHole.insert(range.low, range.end) }
    removals.append(Removal(low: range.low, end: range.end, seq: event.seq, vcpu: event.vcpu))
    if removals.count > Self.removalLimit { forgottenRemovalAt = removals.removeFirst().seq }
  }

  mutating func forget() {
    pages.removeAll()
    removedSinceHole.removeAll()
    hadHole = true
    removals.removeAll()
  }
}
