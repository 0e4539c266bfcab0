import TestSeeds
import Testing
import TraceEvents
import TreeFormat

@testable import Analyzer

/// A trace may come from anyone: whatever its operands and pages hold, the judges of protection neither crash nor take for ever.
@Suite struct TreeHostileTests {
  static let kinds = EventKind.table.map(\.kind)

  @Test func `random events over random nodes`() {
    let base = Seed.base(7_100)
    for run in 0..<40 {
      var random = Seed(base &+ UInt64(run))
      var s = TreeScenario()
      for _ in 0..<400 { s.events.append(hostileEvent(&random, seq: UInt64(s.events.count + 1))) }
      #expect(s.verdict().events == UInt64(s.events.count + 1), "PAGETAPE_SEED=\(base &+ UInt64(run))")
    }
  }

  private func hostileEvent(_ random: inout Seed, seq: UInt64) -> Event {
    let likely: [EventKind] = [.pageContents, .writeResult, .writeTrap, .pageWrite, .traceInstall, .traceRemove, .alert, .basePointerSet]
    let kind = random.chance(60) ? likely[random.below(likely.count)] : Self.kinds[random.below(Self.kinds.count)]
    func operand(_ random: inout Seed) -> UInt64 {
      switch random.below(6) {
      case 0: random.next()
      case 1: .max - UInt64(random.below(5000))
      case 2: 1 << UInt64(random.below(64))
      case 3: UInt64(random.below(300))
      default: UInt64(0x10 + random.below(0x30)) << 12 + UInt64(random.chance(50) ? 0 : random.below(4096))
      }
    }
    var event = Event(kind, vcpu: random.chance(90) ? UInt16(random.below(2)) : UInt16(truncatingIfNeeded: random.next()), seq: seq, time: seq)
    event.gpa = operand(&random)
    event.rip = operand(&random)
    event.cause = random.chance(60) ? seq - 1 - UInt64(random.below(3)) : operand(&random)
    event.a = random.chance(50) ? UInt64(random.below(4)) : operand(&random)
    event.b = random.chance(50) ? UInt64(random.below(4)) : operand(&random)
    event.c = operand(&random)
    event.d = operand(&random)
    if kind == .pageContents {
      event.gpa &= ~4095
      event.data = hostilePage(&random)
    } else {
      event.data = (0..<[0, 1, 2, 7, 8, 16, 17, 40][random.below(8)]).map { _ in random.chance(60) ? 0 : UInt8(truncatingIfNeeded: random.next()) }
    }
    return event
  }

  /// A node whose children and mappings point anywhere, its own page and its parent's among them, with a few bytes broken.
  private func hostilePage(_ random: inout Seed) -> [UInt8] {
    let level = UInt8(random.below(5))
    var keys = Set<UInt64>()
    for _ in 0..<random.below(12) { keys.insert(UInt64(random.below(1 << 20))) }
    let sorted = keys.sorted()
    let body: TreeNode.Body =
      level == 0
      ? .leaf(sorted.indices.map { index in
        let end = index + 1 < sorted.count ? sorted[index + 1] : TreeLayout.gfnLimit
        return .init(firstGFN: sorted[index], pageCount: end - sorted[index], action: UInt8(random.below(4)))
      })
      : .interior(sorted.map { .init(firstGFN: $0, gpa: UInt64(0x10 + random.below(0x30)) << 12) })
    var page = TreeNode(level: level, action: UInt8(random.below(4)), lowGFN: 0, endGFN: TreeLayout.gfnLimit, body: body).page
    for _ in 0..<random.below(3) { page[random.below(300)] = UInt8(truncatingIfNeeded: random.next()) }
    return page
  }

  @Test func `ranges of every size cost no more than their edges`() {
    var s = TreeScenario()
    s.enterIntegrity(0) { s in
      let gfns = TreeLayout.gfnLimit
      s.put(
        TreeNode(
          level: 0, action: 1, lowGFN: 0, endGFN: 1 << 36,
          body: .leaf([.init(firstGFN: 0x40, pageCount: 1 << 30, action: 1)])), at: TreeScenario.spare)
      s.protect(0, TreeScenario.spare)
      for _ in 0..<2000 {
        s.add(.traceInstall, 0, gpa: 0x40000, a: gfns - 0x40)
        s.add(.traceRemove, 0, gpa: 0x40000, a: gfns - 0x40)
      }
      s.add(.traceInstall, 0, gpa: 0x40000, a: gfns - 0x40)
      s.driverWrite(0, TreeScenario.base + 72, TreeScenario.spare)
      s.unprotect(0, TreeScenario.leaf)
    }
    #expect(s.broken() == ["tree/over-trace"])
  }

  @Test func `many single pages, in no order`() {
    var set = RangeSet()
    var random = Seed(Seed.base(5))
    var frames = (0..<200_000).map { UInt64($0) * 2 }
    frames.shuffle(using: &random)
    for frame in frames { set.insert(frame, frame + 1) }
    #expect(frames.allSatisfy { set.contains($0) && !set.contains($0 + 1) })
    #expect(set.firstMissing(from: 0, to: 10) == 1)
    set.insert(0, 400_000)
    #expect(set.firstMissing(from: 0, to: 400_000) == nil)
    #expect(set.next(from: 0) == RangeSet.Span(low: 0, end: 400_000))
  }

  @Test func `a set of ranges is a set`() {
    let base = Seed.base(99)
    for run in 0..<30 {
      var random = Seed(base &+ UInt64(run))
      var set = RangeSet()
      var model = [Bool](repeating: false, count: 1600)
      for _ in 0..<600 {
        let low = random.below(1500)
        let end = low + random.below(random.chance(80) ? 4 : 100)
        let isIn = random.chance(55)
        if isIn { set.insert(UInt64(low), UInt64(end)) } else { set.remove(UInt64(low), UInt64(end)) }
        for index in low..<end { model[index] = isIn }
      }
      let same = model.indices.allSatisfy { set.contains(UInt64($0)) == model[$0] }
      #expect(same, "PAGETAPE_SEED=\(base &+ UInt64(run))")
      for _ in 0..<50 {
        let low = random.below(1500)
        let missing = model[low...].firstIndex(of: false).flatMap { $0 < low + 40 ? UInt64($0) : nil }
        #expect(set.firstMissing(from: UInt64(low), to: UInt64(low + 40)) == missing, "PAGETAPE_SEED=\(base &+ UInt64(run))")
      }
    }
  }
}
