/// Memory for values, owned alone and made larger on demand; what was in it is gone then.
@safe struct GrowingBuffer<Value: BitwiseCopyable>: ~Copyable {
  // SAFETY: allocated with `capacity` values, freed in deinit or when it is replaced. Who keeps `base` must not reserve more meanwhile.
  private(set) var base: UnsafeMutablePointer<Value>
  private(set) var capacity: Int

  init(capacity: Int = 0) {
    unsafe base = .allocate(capacity: max(capacity, 1))
    self.capacity = capacity
  }

  deinit { unsafe base.deallocate() }

  mutating func reserve(_ count: Int) {
    guard count > capacity else { return }
    unsafe base.deallocate()
    unsafe base = .allocate(capacity: count)
    capacity = count
  }
}
