internal import TraceOrder

/// What each vCPU knows of the others' times, in a row of its own: one look tells whether a write is ordered before what it does next.
///
/// A copy of what the clocks say, to be refreshed when a vCPU may have learned something.
@safe struct KnownTimes: ~Copyable {
  // SAFETY: `vcpuCount` rows of as many numbers, allocated in init, freed in deinit; a row is handed out for as long as nothing is refreshed.
  private let times: UnsafeMutablePointer<UInt32>
  private let vcpuCount: Int

  init(vcpuCount: Int) {
    self.vcpuCount = vcpuCount
    unsafe times = .allocate(capacity: vcpuCount * vcpuCount)
    unsafe times.initialize(repeating: 0, count: vcpuCount * vcpuCount)
  }

  deinit { unsafe times.deallocate() }

  mutating func refresh(_ vcpu: Int, _ clocks: borrowing TraceClocks) {
    precondition(vcpu < vcpuCount)
    unsafe clocks.copyTimes(knownTo: UInt16(vcpu), into: UnsafeMutableBufferPointer(start: times + vcpu * vcpuCount, count: vcpuCount))
  }

  @inline(__always)
  subscript(vcpu: Int) -> Row {
    precondition(vcpu < vcpuCount)
    return unsafe Row(times: times + vcpu * vcpuCount)
  }

  /// What one vCPU knows.
  @safe struct Row {
    fileprivate let times: UnsafePointer<UInt32>

    fileprivate init(times: UnsafeMutablePointer<UInt32>) { unsafe self.times = unsafe UnsafePointer(times) }

    /// Whether what that vCPU did at that time is known; its number must be below the count.
    @inline(__always)
    func knows(_ vcpu: UInt16, _ time: UInt32) -> Bool { unsafe times[Int(vcpu)] >= time }
  }
}
