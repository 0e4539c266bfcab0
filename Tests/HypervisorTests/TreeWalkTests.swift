import Hypervisor
import TestSeeds
import Testing
import TraceEvents
import TreeFormat

/// Walks over trees that a guest may have built, or spoilt.
@Suite struct TreeWalkTests {
  static let base: UInt64 = 0x8000
  static let limit: UInt64 = 1 << 30

  private func interior(
    _ level: UInt8, _ children: [(UInt64, UInt64)], low: UInt64 = 0, end: UInt64 = limit, action: AlertAction = .deny
  ) -> TreeNode {
    TreeNode(
      level: level, action: action.rawValue, lowGFN: low, endGFN: end,
      body: .interior(children.map { TreeNode.Child(firstGFN: $0.0, gpa: $0.1) }))
  }

  /// A machine whose tree is these pages: what they hold is written after the base pointer was set, unchecked.
  private func machine(_ nodes: [(UInt64, TreeNode)]) -> Machine {
    var machine = Machine()
    machine.put(Machine.leaf([]), at: Self.base)
    machine.call(.protect, Self.base, 1, 1)
    machine.call(.setBase, Self.base)
    for (gpa, node) in nodes { machine.put(node, at: gpa) }
    machine.call(.registerEntry, Machine.entry)
    machine.call(.lock)
    return machine
  }

  private func alert(_ machine: inout Machine, _ gpa: UInt64) -> (AlertOrigin, AlertAction)? {
    let event = machine.write(gpa).first { $0.kind == .alert }
    return event.flatMap { event in event.alertOrigin.flatMap { origin in event.alertAction.map { (origin, $0) } } }
  }

  @Test func fiveLevelsAreReachedAndSixAreNot() {
    let mapping = TreeNode.Mapping(firstGFN: 100, action: 1)
    var nodes: [(UInt64, TreeNode)] = []
    for index in 0..<4 as Range<UInt64> {
      nodes.append((Self.base + index * 0x1000, interior(UInt8(4 - index), [(0, Self.base + (index + 1) * 0x1000)])))
    }
    nodes.append((Self.base + 0x4000, Machine.leaf([mapping], action: .notify)))
    var machine = machine(nodes)
    #expect(alert(&machine, 100 << 12)?.0 == .mapping)
    #expect(alert(&machine, 101 << 12) == nil)
    for index in 0..<5 as Range<UInt64> { #expect(alert(&machine, Self.base + index * 0x1000)?.0 == .node) }
    // A sixth level cannot even be written down.
    machine.put(interior(4, [(0, Self.base + 0x5000)]), at: Self.base)
    machine.host.writeMemory(gpa: Self.base + 6, [5])
    #expect(alert(&machine, 100 << 12) == nil)
  }

  @Test func theRightChildIsTaken() {
    var machine = machine([
      (Self.base, interior(1, [(0, 0x9000), (50, 0xa000), (200, 0xb000)])),
      (0x9000, Machine.leaf([TreeNode.Mapping(firstGFN: 49, action: 0)], end: 50)),
      (
        0xa000,
        Machine.leaf([TreeNode.Mapping(firstGFN: 50, action: 1), TreeNode.Mapping(firstGFN: 60, pageCount: 140, action: 0)], low: 50, end: 200)
      ),
      (0xb000, Machine.leaf([TreeNode.Mapping(firstGFN: 200, pageCount: 2, action: 1)], action: .notify, low: 200)),
    ])
    let expected: [(UInt64, AlertAction?)] = [
      (48, nil), (49, .notify), (50, .deny), (51, nil), (60, .notify), (199, .notify), (200, .deny), (202, nil),
    ]
    for (gfn, action) in expected { #expect(alert(&machine, gfn << 12)?.1 == action, "GFN \(gfn)") }
    #expect(alert(&machine, 0xb000)?.1 == .notify)
  }

  @Test func aPageThatLooksLikeANodeButIsNotReachedIsNone() {
    var machine = machine([(Self.base, Machine.leaf([])), (0x9000, Machine.leaf([], action: .terminate))])
    #expect(alert(&machine, 0x9000) == nil)
    #expect(alert(&machine, Self.base)?.0 == .node)
  }

  @Test func cyclesEnd() {
    // The node is its own child; two nodes are each other's.
    var own = machine([(Self.base, interior(3, [(0, Self.base)]))])
    #expect(alert(&own, 100 << 12) == nil)
    #expect(alert(&own, Self.base)?.0 == .node)
    var pair = machine([(Self.base, interior(3, [(0, 0x9000)])), (0x9000, interior(3, [(0, Self.base)]))])
    #expect(alert(&pair, 100 << 12) == nil)
    #expect(alert(&pair, 0x9000) == nil)
  }

  @Test(arguments: [1 << 40, (1 << 52) - 4096, 0x7000_0000, 16 << 20] as [UInt64]) func childrenOutsideRAMEndTheWalk(_ gpa: UInt64) {
    var machine = machine([(Self.base, interior(1, [(0, gpa)]))])
    #expect(alert(&machine, 100 << 12) == nil)
    #expect(machine.core.sessionEnd == nil)
  }

  @Test func aChildMustCoverItsSlotAndBeOneLevelBelow() {
    let mapping = TreeNode.Mapping(firstGFN: 100, action: 1)
    for child in [Machine.leaf([mapping], low: 1), Machine.leaf([mapping], end: Self.limit - 1), Machine.leaf([mapping], end: Self.limit + 1)] {
      var machine = machine([(Self.base, interior(1, [(0, 0x9000)])), (0x9000, child)])
      #expect(alert(&machine, 100 << 12) == nil)
    }
    for (upper, lower) in [(1, 2), (2, 2), (4, 1), (3, 1)] as [(UInt8, UInt8)] {
      var machine = machine([
        (Self.base, interior(upper, [(0, 0x9000)])), (0x9000, interior(lower, [(0, 0xa000)])), (0xa000, Machine.leaf([mapping])),
      ])
      #expect(alert(&machine, 100 << 12) == nil)
    }
    var good = machine([(Self.base, interior(2, [(0, 0x9000)])), (0x9000, interior(1, [(0, 0xa000)])), (0xa000, Machine.leaf([mapping]))])
    #expect(alert(&good, 100 << 12)?.1 == .deny)
  }

  @Test func randomPagesNeverTrapTheWalk() {
    let seed = Seed.run

    var generator = Seed(seed)
    for _ in 0..<200 {
      var machine = machine([
        (Self.base, interior(2, [(0, 0x9000)])), (0x9000, interior(1, [(0, 0xa000)])),
        (0xa000, Machine.leaf([TreeNode.Mapping(firstGFN: 100, action: 1)])),
      ])
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let offset = UInt64.random(in: 0..<128, using: &generator)
        let page = [Self.base, 0x9000, 0xa000].randomElement(using: &generator) ?? Self.base
        machine.host.writeMemory(gpa: page + offset, [[0, 1, 0x80, 0x90, 0xa0, 0xff].randomElement(using: &generator) ?? 0])
      }
      for gpa in [100 << 12, Self.base, 0x9000, 0xa000, UInt64.random(in: 0..<4000, using: &generator) << 12] {
        let events = machine.write(gpa, [1])
        #expect(events.first?.kind == .writeTrap && events.last?.kind == .writeResult, "seed \(seed)")
      }
    }
  }
}
