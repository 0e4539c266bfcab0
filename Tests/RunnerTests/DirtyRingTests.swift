import KVM
import Testing

/// The ring against a kernel that does what KVM does: pushes past the end where it must, takes back what is marked.
struct DirtyRingTests {
  /// KVM's side of a ring (`kvm_dirty_ring_push`, `kvm_dirty_ring_reset`).
  @safe final class Kernel {
    static let size = 64
    let memory: UnsafeMutableRawPointer
    private(set) var dirtyIndex = 0
    private(set) var resetIndex = 0

    init() {
      unsafe memory = .allocate(byteCount: Self.size * 16, alignment: 16)
      unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size * 16)
    }

    deinit { unsafe memory.deallocate() }

    var used: Int { dirtyIndex - resetIndex }

    func push(_ page: UInt64) {
      let entry = unsafe memory + dirtyIndex % Self.size * 16
      unsafe entry.storeBytes(of: 3, toByteOffset: 4, as: UInt32.self)
      unsafe entry.storeBytes(of: page, toByteOffset: 8, as: UInt64.self)
      unsafe entry.storeBytes(of: 1, as: UInt32.self)
      dirtyIndex += 1
    }

    func reset() -> Int {
      var count = 0
      while unsafe (memory + resetIndex % Self.size * 16).load(as: UInt32.self) & 2 != 0 {
        unsafe (memory + resetIndex % Self.size * 16).storeBytes(of: 0, as: UInt32.self)
        resetIndex += 1
        count += 1
      }
      return count
    }
  }

  private let kernel = Kernel()

  private func ring() -> DirtyRing { unsafe DirtyRing(kernel.memory, count: Kernel.size) }

  @Test func entriesComeInOrderOnce() {
    var ring = ring()
    var seen: [UInt64] = []
    for page in 0..<1000 as Range<UInt64> {
      kernel.push(page)
      if page % 7 == 0 {
        let found = ring.harvest(full: false) { slot, page in
          #expect(slot == 3)
          seen.append(page)
        }
        #expect(!found.overflowed)
        #expect(kernel.reset() == found.resettable)
      }
    }
    _ = ring.harvest(full: false) { seen.append($1) }
    #expect(seen == Array(0..<1000))
  }

  /// However far KVM ran past the end: the overflow is reported, and from then on nothing is missed and KVM's count comes right.
  @Test func overflowIsReportedAndOvercome() {
    for excess in 0...(3 * Kernel.size) {
      let kernel = Kernel()
      var ring = unsafe DirtyRing(kernel.memory, count: Kernel.size)
      for page in 0..<10 as Range<UInt64> { kernel.push(page) }
      #expect(ring.harvest(full: false) { _, _ in }.entries == 10)
      _ = kernel.reset()
      for page in 0..<(Kernel.size + excess) { kernel.push(UInt64(page)) }
      #expect(ring.harvest(full: true) { _, _ in }.overflowed)
      _ = kernel.reset()
      // Full exits, while KVM counts more than the ring holds.
      var attempts = 0
      while kernel.used >= Kernel.size - 8, attempts < 20 {
        _ = ring.harvest(full: true) { _, _ in }
        _ = kernel.reset()
        attempts += 1
      }
      #expect(kernel.used >= 0 && kernel.used < Kernel.size - 8, "excess \(excess)")
      var seen: [UInt64] = []
      for page in 1000..<1200 as Range<UInt64> {
        kernel.push(page)
        let full = kernel.used >= Kernel.size - 8
        let found = ring.harvest(full: full) { seen.append($1) }
        #expect(!found.overflowed)
        _ = kernel.reset()
      }
      #expect(seen == Array(1000..<1200), "excess \(excess)")
      #expect(kernel.used == 0, "excess \(excess)")
    }
  }
}
