/// The latest writes that the hypervisor did for guests on traced pages: what tells whether a locked instruction's read has gone stale.
///
/// A locked read-modify-write on a traced page is a read by the CPU, then an exit with the new value. A write by another vCPU that was
/// done after this vCPU went into the guest may have come between.
package struct AppliedWrites: Sendable {
  private struct Entry: Sendable {
    var granules: ClosedRange<UInt64>
    var vcpu: Int
  }

  private static let capacity = 1024
  private var entries: [Entry] = []
  package init() {}

  /// Writes so far.
  package private(set) var count = 0

  private static func granules(_ gpa: UInt64, _ length: Int) -> ClosedRange<UInt64> {
    gpa / 8...(gpa + UInt64(max(length, 1)) - 1) / 8
  }

  package mutating func note(gpa: UInt64, length: Int, vcpu: Int) {
    let entry = Entry(granules: Self.granules(gpa, length), vcpu: vcpu)
    if entries.count < Self.capacity {
      entries.append(entry)
    } else {
      entries[count % Self.capacity] = entry
    }
    count += 1
  }

  /// Whether another vCPU wrote to the same 8-byte granules when `mark` writes had been done, or later. Yes where that is no longer known.
  package func conflicts(gpa: UInt64, length: Int, vcpu: Int, since mark: Int) -> Bool {
    guard count - mark <= Self.capacity else { return true }
    let granules = Self.granules(gpa, length)
    for number in mark..<count {
      let entry = entries[number % Self.capacity]
      if entry.vcpu != vcpu, entry.granules.overlaps(granules) { return true }
    }
    return false
  }
}
