internal import HappensBefore

/// What events knew that may still be waited for, found by their numbers.
///
/// Most are waited for soon, and once: a small ring that stays in the processor's cache holds the latest ones, a large one those that it had to let go.
@safe struct MessageRing: ~Copyable {
  private struct Slot: BitwiseCopyable {
    /// The event's number, 0 for an empty slot.
    var seq: UInt64 = 0
    var snapshot = Clocks.Snapshot.empty
  }

  private static let recentCount = 1 << 10
  private static let oldCount = 1 << 16

  // SAFETY: both are initialised, as long as their counts say, and freed by `deinit` alone; an index is masked to its ring.
  private let recent: UnsafeMutablePointer<Slot>
  private let old: UnsafeMutablePointer<Slot>

  init() {
    unsafe recent = .allocate(capacity: Self.recentCount)
    unsafe recent.initialize(repeating: Slot(), count: Self.recentCount)
    unsafe old = .allocate(capacity: Self.oldCount)
    unsafe old.initialize(repeating: Slot(), count: Self.oldCount)
  }

  deinit {
    unsafe recent.deallocate()
    unsafe old.deallocate()
  }

  @inline(__always)
  private static func index(_ seq: UInt64, _ count: Int) -> Int { Int(truncatingIfNeeded: seq) & (count - 1) }

  /// Keeps what an event knew. What falls out for it is the caller's to release.
  mutating func keep(_ snapshot: Clocks.Snapshot, of seq: UInt64) -> Clocks.Snapshot {
    let slot = unsafe recent + Self.index(seq, Self.recentCount)
    let evicted = unsafe slot.pointee
    unsafe slot.pointee = Slot(seq: seq, snapshot: snapshot)
    guard evicted.seq != 0 else { return .empty }
    let place = unsafe old + Self.index(evicted.seq, Self.oldCount)
    let fallen = unsafe place.pointee.snapshot
    unsafe place.pointee = evicted
    return fallen
  }

  /// What the event knew; nil where it is not kept. `takesOut` makes it the caller's to release.
  mutating func find(_ seq: UInt64, takesOut: Bool) -> Clocks.Snapshot? {
    var slot = unsafe recent + Self.index(seq, Self.recentCount)
    if unsafe slot.pointee.seq != seq { unsafe slot = old + Self.index(seq, Self.oldCount) }
    guard unsafe slot.pointee.seq == seq, seq != 0 else { return nil }
    let snapshot = unsafe slot.pointee.snapshot
    if takesOut { unsafe slot.pointee = Slot() }
    return snapshot
  }

  /// Everything that is kept, each the caller's to release.
  mutating func removeAll(_ release: (Clocks.Snapshot) -> Void) {
    for index in 0..<Self.recentCount { unsafe empty(&recent[index], release) }
    for index in 0..<Self.oldCount { unsafe empty(&old[index], release) }
  }

  private func empty(_ slot: inout Slot, _ release: (Clocks.Snapshot) -> Void) {
    if slot.seq == 0 { return }
    release(slot.snapshot)
    slot = Slot()
  }
}
