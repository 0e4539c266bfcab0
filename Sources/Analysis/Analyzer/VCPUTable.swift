/// A fixed number of records, one a vCPU, owned alone: reading and writing one costs an address computation, no uniqueness check.
///
/// An array would do but for the engine's budget of a few nanoseconds an event.
@safe struct VCPUTable<Record: BitwiseCopyable>: ~Copyable {
  // SAFETY: allocated with `count` records in init, freed in deinit, never handed out.
  private let base: UnsafeMutablePointer<Record>
  let count: Int

  init(repeating record: Record, count: Int) {
    self.count = count
    unsafe base = .allocate(capacity: max(count, 1))
    unsafe base.initialize(repeating: record, count: count)
  }

  init(copying other: borrowing VCPUTable) {
    count = other.count
    unsafe base = .allocate(capacity: max(count, 1))
    // SAFETY: both hold `count` records.
    unsafe base.initialize(from: other.base, count: other.count)
  }

  deinit { unsafe base.deallocate() }

  var indices: Range<Int> { 0..<count }

  subscript(index: Int) -> Record {
    // SAFETY: the index is checked; the record is yielded in place, for the time of the access.
    _read {
      precondition(index >= 0 && index < count)
      yield unsafe base[index]
    }
    _modify {
      precondition(index >= 0 && index < count)
      yield unsafe &base[index]
    }
  }
}
