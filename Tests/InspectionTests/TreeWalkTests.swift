import Inspection
import TestSeeds
import Testing
import TraceEvents
import TraceFormat
import TreeFormat

struct TreeWalkTests {
  static let memory = [GuestRange(start: 0, length: 1 << 20)]

  /// The state of a machine whose base pointer is at page 16, and which holds these traced pages.
  private func state(_ pages: [UInt64: [UInt8]], traced: Bool = true) throws -> MachineState {
    var events = [Event(.basePointerSet, vcpu: 0, gpa: 16 * 4096)]
    for (frame, bytes) in pages.sorted(by: { $0.key < $1.key }) {
      if traced { events.append(Event(.traceInstall, vcpu: 0, gpa: frame * 4096, a: 1)) }
      events.append(Event(.pageContents, vcpu: 0, gpa: frame * 4096, data: bytes))
    }
    var state = MachineState(vcpuCount: 1)
    state.fold(try EventBatch(encoding: events, header: TraceHeader(vcpuCount: 1)))
    return state
  }

  private func walk(_ pages: [UInt64: [UInt8]], traced: Bool = true, limit: Int = 1000) throws -> TreeWalk {
    TreeWalk(try state(pages, traced: traced), memory: Self.memory, limit: limit)
  }

  private func interior(_ level: UInt8, _ low: UInt64, _ end: UInt64, _ children: [(UInt64, UInt64)]) -> [UInt8] {
    TreeNode(
      level: level, action: 1, lowGFN: low, endGFN: end, body: .interior(children.map { TreeNode.Child(firstGFN: $0.0, gpa: $0.1 * 4096) })
    ).page
  }

  private func leaf(_ low: UInt64, _ end: UInt64, _ mappings: [TreeNode.Mapping]) -> [UInt8] {
    TreeNode(level: 0, action: 1, lowGFN: low, endGFN: end, body: .leaf(mappings)).page
  }

  private func words(_ walk: TreeWalk) -> [String] {
    walk.entries.map { entry in
      let what: String
      switch entry.finding {
      case .node(let node): what = "node \(node.level)"
      case .mapping(let mapping): what = "mapping \(mapping.pageCount)"
      case .malformed(let why): what = "malformed: \(why)"
      case .unknown: what = "unknown"
      case .repeated: what = "repeated"
      }
      return "\(entry.depth) \(entry.gpa / 4096) \(what)"
    }
  }

  @Test func aTreeInTheOrderOfItsKeys() throws {
    let walk = try walk([
      16: interior(1, 0, 1000, [(0, 17), (500, 18)]), 17: leaf(0, 500, [TreeNode.Mapping(firstGFN: 100, pageCount: 3, action: 1)]),
      18: leaf(500, 1000, []),
    ])
    #expect(words(walk) == ["0 16 node 1", "1 17 node 0", "2 100 mapping 3", "1 18 node 0"])
    #expect(!walk.isCut)
  }

  @Test func noBasePointerIsNoTree() {
    #expect(TreeWalk(MachineState(vcpuCount: 1), memory: [], limit: 10).entries.isEmpty)
  }

  @Test func whatIsNotATreeIsSaidToBeNone() throws {
    // A loop is cut where levels stop falling, a page linked twice is shown once, addresses outside memory lead nowhere.
    let walk = try walk([
      16: interior(2, 0, 1000, [(0, 16), (100, 17), (200, 18), (300, 19), (400, 4096), (500, 20), (600, 21), (700, 21)]),
      17: leaf(100, 200, []), 18: interior(1, 200, 299, []), 19: [UInt8](repeating: 7, count: 4096),
      21: interior(1, 600, 700, []),
    ])
    let found = words(walk)
    #expect(found.count == 9)
    #expect(found[1] == "1 16 repeated")
    #expect(found[2].hasPrefix("1 17 malformed: it has level 0"))
    #expect(found[3].hasPrefix("1 18 malformed: it covers other pages"))
    #expect(found[4].hasPrefix("1 19 malformed: badMagic"))
    #expect(found[5] == "1 4096 malformed: the page is outside guest memory")
    #expect(found[6] == "1 20 unknown")
    #expect(found[7] == "1 21 node 1")
    #expect(found[8] == "1 21 repeated")
  }

  @Test func contentsOfAnUntracedPageAreNotKnown() throws {
    #expect(words(try walk([16: leaf(0, 10, [])], traced: false)) == ["0 16 unknown"])
  }

  @Test func theWalkEndsAtItsLimit() throws {
    let mappings = (0..<100).map { TreeNode.Mapping(firstGFN: UInt64($0) * 2, action: 0) }
    let page = leaf(0, 1000, mappings)
    for limit in [0, 1, 50, 100] {
      let walk = try walk([16: page], limit: limit)
      #expect(walk.entries.count == limit && walk.isCut)
    }
    #expect(try !walk([16: page], limit: 101).isCut)
  }

  @Test func randomPagesAreWalkedInBounds() throws {
    let base = Seed.base(1)
    for number in 0..<300 {
      var random = Seed(base &* 1000 &+ UInt64(number))
      // Pages that link to each other at random, most of them well formed by themselves.
      var pages: [UInt64: [UInt8]] = [:]
      for frame in 16..<16 + UInt64(1 + random.below(12)) {
        let children = (0..<random.below(6)).map { (UInt64($0) * 10, 16 + UInt64(random.below(14))) }
        var page = random.chance(30)
          ? leaf(0, 100, []) : interior(UInt8(1 + random.below(4)), 0, UInt64(60 + random.below(2)), children)
        if random.chance(20) { page[random.below(100)] ^= UInt8(1 + random.below(255)) }
        pages[frame] = page
      }
      let walk = try walk(pages, limit: 200)
      let nodes = walk.entries.filter { if case .node = $0.finding { true } else { false } }
      #expect(Set(nodes.map(\.gpa)).count == nodes.count, "seed \(base), trace \(number): a node was gone into twice")
      #expect(walk.entries.allSatisfy { $0.depth <= TreeLayout.maximumDepth }, "seed \(base), trace \(number)")
      #expect(walk.entries.count <= 200)
    }
  }
}
