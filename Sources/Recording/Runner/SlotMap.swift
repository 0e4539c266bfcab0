/// How guest RAM is cut into memory slots: traced pages lie in read-only slots, the others in slots that log dirty pages.
///
/// A plain value that only plans: whoever holds the virtual machine carries the plan out.
package struct SlotMap: Sendable {
  /// Pages of one slot, numbered from the start of RAM.
  package struct Run: Hashable, Sendable {
    package var first: Int
    package var count: Int
    package var traced: Bool
    package var slot: UInt32

    package var end: Int { first + count }
  }

  /// What to do: delete these, then add those. Slot numbers are used again.
  package struct Plan: Hashable, Sendable {
    package var remove: [Run] = []
    package var add: [Run] = []

    package var isEmpty: Bool { remove.isEmpty && add.isEmpty }
  }

  /// The region's slot, never used for RAM.
  package static let regionSlot: UInt32 = 0

  /// Ascending, without holes; neighbours differ in `traced`.
  package private(set) var runs: [Run]
  /// The first page of each slot number in use, -1 for the others.
  package private(set) var firstPage: [Int]
  private var free: [UInt32] = []

  package init(pageCount: Int) {
    runs = [Run(first: 0, count: pageCount, traced: false, slot: Self.regionSlot + 1)]
    firstPage = [-1, 0]
  }

  package var pageCount: Int { runs[runs.count - 1].end }

  /// Position in `runs` of the one that holds a page.
  private func position(of page: Int) -> Int {
    var low = 0, high = runs.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle].first <= page { low = middle } else { high = middle }
    }
    return low
  }

  package var isAnyTraced: Bool { runs.count > 1 || runs[0].traced }

  package func isTraced(_ page: Int) -> Bool { runs[position(of: page)].traced }

  /// What it takes to change the pages' state. Nothing where they are in that state already.
  package func planned(_ traced: Bool, _ pages: Range<Int>) -> Plan {
    precondition(!pages.isEmpty && pages.lowerBound >= 0 && pages.upperBound <= pageCount, "pages of RAM")
    var start = position(of: pages.lowerBound)
    var end = position(of: pages.upperBound - 1) + 1
    guard runs[start..<end].contains(where: { $0.traced != traced }) else { return Plan() }
    // Neighbours that will be in the same state as the pages become one slot with them.
    if start > 0, runs[start].first == pages.lowerBound, runs[start - 1].traced == traced { start -= 1 }
    if end < runs.count, runs[end - 1].end == pages.upperBound, runs[end].traced == traced { end += 1 }
    let old = Array(runs[start..<end])
    var first = pages.lowerBound, last = pages.upperBound
    if old[0].traced == traced { first = min(first, old[0].first) }
    if old[old.count - 1].traced == traced { last = max(last, old[old.count - 1].end) }
    var new: [Run] = []
    if old[0].first < first { new.append(Run(first: old[0].first, count: first - old[0].first, traced: !traced, slot: 0)) }
    new.append(Run(first: first, count: last - first, traced: traced, slot: 0))
    let tail = old[old.count - 1]
    if tail.end > last { new.append(Run(first: last, count: tail.end - last, traced: !traced, slot: 0)) }
    // Numbers that become free are used again, the lowest of the others after them.
    var numbers = old.map(\.slot)
    var spare = free
    var unused = UInt32(firstPage.count)
    for index in new.indices {
      if numbers.isEmpty, let number = spare.popLast() { numbers.append(number) }
      if numbers.isEmpty {
        numbers.append(unused)
        unused += 1
      }
      new[index].slot = numbers.removeFirst()
    }
    return Plan(remove: old, add: new)
  }

  /// Makes a plan so. It must have been made of this map as it is.
  package mutating func apply(_ plan: Plan) {
    guard let first = plan.remove.first, let start = runs.firstIndex(of: first) else { return }
    runs.replaceSubrange(start..<start + plan.remove.count, with: plan.add)
    for run in plan.remove { firstPage[Int(run.slot)] = -1 }
    for run in plan.add {
      while firstPage.count <= Int(run.slot) { firstPage.append(-1) }
      firstPage[Int(run.slot)] = run.first
    }
    free = firstPage.indices.dropFirst().filter { firstPage[$0] < 0 }.map { UInt32($0) }.reversed()
  }
}
