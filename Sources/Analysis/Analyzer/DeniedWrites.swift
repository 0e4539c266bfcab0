internal import TraceEvents

/// The latest writes that were denied: none of them may show in memory later.
struct DeniedWrites {
  struct Write {
    var seq: UInt64
    var vcpu: UInt16
    var gpa: UInt64
    var count: UInt64
    /// Little-endian, as `before`.
    var attempted: UInt64
    var before: UInt64

    /// Whether a byte that the write brought, and that was not there before, is among these bytes at `start`.
    func shows(in event: borrowing EventView, at start: UInt64, first: Int, count length: Int) -> Bool {
      let low = max(gpa, start)
      let end = min(gpa + count, start + UInt64(length))
      guard low < end else { return false }
      for address in low..<end {
        let shift = (address - gpa) * 8
        let wanted = UInt8(truncatingIfNeeded: attempted >> shift)
        if wanted != UInt8(truncatingIfNeeded: before >> shift), event.byte(first + Int(address - start)) == wanted { return true }
      }
      return false
    }
  }

  private static let limit = 256

  private var writes: [Write] = []
  private var next = 0
  /// By bucket of pages: which of them are on its pages, a bit each. Nearly every page written is dismissed by one look.
  private var buckets = [SIMD4<UInt64>](repeating: .zero, count: 1024)

  private static func bucket(_ gpa: UInt64) -> Int { Int(truncatingIfNeeded: gpa >> 12 & 1023) }

  var isEmpty: Bool { writes.isEmpty }

  /// Whether a write to this page may have been denied; no write crosses a page.
  func mayHold(page gpa: UInt64) -> Bool { buckets[Self.bucket(gpa)] != .zero }

  mutating func remember(_ write: Write) {
    if writes.count < Self.limit {
      list(writes.count, write)
      writes.append(write)
    } else {
      buckets[Self.bucket(writes[next].gpa)][next / 64] &= ~(1 << UInt64(next % 64))
      list(next, write)
      writes[next] = write
      next = (next + 1) % Self.limit
    }
  }

  private mutating func list(_ index: Int, _ write: Write) { buckets[Self.bucket(write.gpa)][index / 64] |= 1 << UInt64(index % 64) }

  /// The denied write that shows in what was observed at `start`.
  func showing(in event: borrowing EventView, at start: UInt64, first: Int, count: Int) -> Write? {
    guard start & 4095 + UInt64(count) > 4096 else {
      let listed = buckets[Self.bucket(start)]
      for word in 0..<4 {
        var left = listed[word]
        while left != 0 {
          let index = word * 64 + left.trailingZeroBitCount
          left &= left - 1
          if writes[index].shows(in: event, at: start, first: first, count: count) { return writes[index] }
        }
      }
      return nil
    }
    for write in writes where write.shows(in: event, at: start, first: first, count: count) { return write }
    return nil
  }

  /// Something else may have written these bytes: what is there says nothing any more of what was denied before.
  mutating func forget(from low: UInt64, to end: UInt64) {
    if low >> 12 == (end &- 1) >> 12, !mayHold(page: low) { return }
    forgetListed(from: low, to: end)
  }

  @inline(never)
  private mutating func forgetListed(from low: UInt64, to end: UInt64) {
    guard writes.contains(where: { $0.gpa < end && $0.gpa + $0.count > low }) else { return }
    let left = writes.filter { $0.gpa >= end || $0.gpa + $0.count <= low }
    forget()
    for write in left { remember(write) }
  }

  mutating func forget() {
    for write in writes { buckets[Self.bucket(write.gpa)] = .zero }
    writes.removeAll(keepingCapacity: true)
    next = 0
  }
}
