internal import TraceEvents
internal import TraceFormat

/// Leaving out what is not needed, until nothing more can be.
extension MinimizationSearch {
  /// By ever smaller runs of the least relevant units, by vCPU, by page, and unit by unit.
  mutating func shrinkAll() {
    var count = 0
    shrink(from: removable().count / 2)
    repeat {
      count = kept.count
      dropVCPUs()
      dropPages()
      shrink(from: 4)
    } while kept.count < count && effort > 0
  }

  /// The units that may go, least relevant first.
  private func removable() -> [Int32] {
    var there: Set<Int32> = []
    var fixed: Set<Int32> = []
    for index in kept {
      there.insert(units[Int(index)])
      if isFixed[Int(index)] { fixed.insert(units[Int(index)]) }
    }
    return there.subtracting(fixed).sorted { (scores[Int($0)], $0) > (scores[Int($1)], $1) }
  }

  /// Leaves out runs of `size` units, then of half as many, down to single ones, until none can be left out.
  private mutating func shrink(from size: Int) {
    var size = max(size, 1)
    while effort > 0 {
      var list = removable()
      var at = 0
      var isSmaller = false
      while at < list.count, effort > 0 {
        let end = min(at + size, list.count)
        guard let rest = rest(without: list[at..<end]), keep(rest) else {
          at = end
          continue
        }
        isSmaller = true
        marked.clear()
        for index in kept { marked.insert(units[Int(index)]) }
        at = list[..<at].count { marked.contains($0) }
        list = list.filter { marked.contains($0) }
      }
      if size == 1, !isSmaller { return }
      size = max(size / 2, 1)
    }
  }

  /// What is kept without these units, and without what cannot be without them; nil where something would go that must stay.
  mutating func rest(without units: some Sequence<Int32>) -> [Int32]? { rest(of: kept, without: units) }

  mutating func rest(of indices: [Int32], without units: some Sequence<Int32>) -> [Int32]? {
    gone.clear()
    marked.clear()
    for unit in units { marked.insert(unit) }
    var rest = indices
    var before = -1
    while rest.count != before {
      before = rest.count
      var next: [Int32] = []
      next.reserveCapacity(rest.count)
      for index in rest {
        guard marked.contains(self.units[Int(index)]) || lacks(index) else {
          next.append(index)
          continue
        }
        if isFixed[Int(index)] { return nil }
        marked.insert(self.units[Int(index)])
        gone.insert(index)
      }
      rest = next
    }
    return rest
  }

  /// Whether something that the event needs is gone.
  private func lacks(_ index: Int32) -> Bool {
    let first = Int(index) * EventBonds.needsPerEvent
    for need in first..<first + EventBonds.needsPerEvent where bonds.needs[need] >= 0 && gone.contains(bonds.needs[need]) { return true }
    return false
  }

  /// A vCPU goes with all it did and all that was done to it. The units that it had a part in go on without it.
  mutating func dropVCPUs() {
    for vcpu in (0..<minimizer.header.vcpuCount).reversed() {
      gone.clear()
      var rest: [Int32] = []
      var isAllowed = true
      for index in kept {
        guard isOf(UInt16(vcpu), all.events[Int(index)]) || lacks(index) else {
          rest.append(index)
          continue
        }
        gone.insert(index)
        if isFixed[Int(index)] { isAllowed = false }
      }
      if isAllowed { _ = keep(rest) }
    }
  }

  private func isOf(_ vcpu: UInt16, _ event: Event) -> Bool {
    if event.vcpu == vcpu { return true }
    switch event.kind {
    case .vcpuStart, .interruptRaise, .privilegedRaise, .stopSend, .resumeSend: return event.a == UInt64(vcpu)
    default: return false
    }
  }

  /// All that was done to a page goes.
  private mutating func dropPages() {
    var pages: [UInt64: Set<Int32>] = [:]
    for index in kept where all.events[Int(index)].gpa != 0 { pages[all.events[Int(index)].gpa >> 12, default: []].insert(units[Int(index)]) }
    for frame in pages.keys.sorted() {
      if let units = pages[frame], units.count > 1, let rest = rest(without: units) { _ = keep(rest) }
    }
  }
}
