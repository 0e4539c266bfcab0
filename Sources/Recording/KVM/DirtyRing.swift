import CKVM

/// One vCPU's dirty ring: which pages it wrote, as (slot, page in the slot).
///
/// Only the vCPU's own thread harvests, and only while the vCPU is out of `KVM_RUN`.
///
/// On an emulating host one exit can come after more writes than the ring holds: KVM overwrites entries and its index runs ahead of what
/// it lets anybody reset. `harvest` then reports an overflow, and later calls look for where KVM goes on, marking what it skipped as
/// harvested so that its count comes right again.
@safe public struct DirtyRing {
  private let entries: UnsafeMutablePointer<kvm_dirty_gfn>
  private let mask: Int
  /// The next position to harvest, growing without end.
  private var next = 0
  /// An overflow happened, and where KVM writes next is not known.
  private var lost = false

  /// `memory` holds `count` entries of 16 bytes, a power of two, and outlives this.
  @unsafe package init(_ memory: UnsafeMutableRawPointer, count: Int) {
    unsafe entries = unsafe memory.assumingMemoryBound(to: kvm_dirty_gfn.self)
    mask = count - 1
  }

  public var count: Int { mask + 1 }

  /// What a harvest found.
  public struct Harvest: Sendable {
    /// Entries given to the body.
    public var entries = 0
    /// Entries that KVM will take back at the next reset: those, and those skipped to catch up with it.
    public var resettable = 0
    /// Entries were overwritten before they could be read; how many is not known.
    public var overflowed = false
  }

  /// Gives every new entry to `body`, in order, and marks it harvested. `full` says that the exit was `VMExit.dirtyRingFull`.
  public mutating func harvest(full: Bool, _ body: (_ slot: UInt32, _ page: UInt64) -> Void) -> Harvest {
    var found = Harvest()
    if lost { found.resettable = catchUp() }
    while found.entries < count, isDirty(next) {
      // SAFETY: the index is masked; the acquire above orders the entry's fields after its flag.
      let entry = unsafe entries + (next & mask)
      body(unsafe entry.pointee.slot, unsafe entry.pointee.offset)
      unsafe ckvm_gfn_mark_harvested(entry)
      next += 1
      found.entries += 1
    }
    found.resettable += found.entries
    // KVM stops the vCPU with entries to spare: all of them in use means that it could not, and wrote on.
    if found.entries == count {
      found.overflowed = true
      lost = true
    } else if full, found.entries == 0 {
      // KVM counts at least this many that nobody can find: let it take them back.
      skip(count / 2)
      found.resettable += count / 2
      lost = true
    }
    return found
  }

  private func isDirty(_ position: Int) -> Bool {
    // SAFETY: the index is masked.
    unsafe ckvm_gfn_flags(entries + (position & mask)) & 3 == 1
  }

  private mutating func skip(_ positions: Int) {
    for _ in 0..<positions {
      // SAFETY: the index is masked.
      unsafe ckvm_gfn_mark_harvested(entries + (next & mask))
      next += 1
    }
  }

  /// Finds the start of the run of dirty entries and goes there. Returns how many positions were skipped.
  private mutating func catchUp() -> Int {
    // A run that reaches round to `next` starts further on: leave it first.
    var ahead = 0
    while ahead < count, isDirty(next + ahead) { ahead += 1 }
    guard ahead < count else { return 0 }
    let afterRun = ahead
    while ahead < count, !isDirty(next + ahead) { ahead += 1 }
    guard ahead < count else {
      // Nothing beyond: the run, if there is one, starts right here.
      if afterRun > 0 { lost = false }
      return 0
    }
    lost = false
    // Entries of a wrapped run must not be marked before they were read.
    guard afterRun == 0 else {
      next += ahead
      return 0
    }
    skip(ahead)
    return ahead
  }
}
