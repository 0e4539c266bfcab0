/// Records by a number that somebody counts up, owned alone: reading and writing one costs a comparison and an address, no uniqueness check.
@safe struct GrowingTable<Record: BitwiseCopyable>: ~Copyable {
  /// `count` records, all initialised.
  private var base: UnsafeMutablePointer<Record>
  private(set) var count: Int
  private let fresh: Record

  /// Every record starts as `fresh`.
  init(repeating fresh: Record) {
    self.fresh = fresh
    count = 16
    unsafe base = .allocate(capacity: count)
    unsafe base.initialize(repeating: fresh, count: count)
  }

  deinit { unsafe base.deallocate() }

  /// The record with a number that is not negative; the table grows to hold it.
  subscript(number: Int32) -> Record {
    // SAFETY: the number is below the count, for `reach` saw to it; the record is yielded in place, for the time of the access.
    @inline(__always) mutating _read {
      if Int(number) >= count { grow(toHold: Int(number)) }
      precondition(number >= 0)
      yield unsafe base[Int(number)]
    }
    @inline(__always) _modify {
      if Int(number) >= count { grow(toHold: Int(number)) }
      precondition(number >= 0)
      yield unsafe &base[Int(number)]
    }
  }

  /// The record as it is, without making room for it.
  func peek(_ number: Int32) -> Record {
    // SAFETY: the number is checked.
    number >= 0 && Int(number) < count ? unsafe base[Int(number)] : fresh
  }

  @inline(never)
  private mutating func grow(toHold number: Int) {
    let larger = max(2 * count, number + 1)
    let new = UnsafeMutablePointer<Record>.allocate(capacity: larger)
    // SAFETY: the records move to a larger place, of which the rest is initialised too.
    unsafe new.initialize(from: base, count: count)
    unsafe (new + count).initialize(repeating: fresh, count: larger - count)
    unsafe base.deallocate()
    unsafe base = new
    count = larger
  }
}
