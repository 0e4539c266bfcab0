import TestSeeds
import Testing
import TraceEvents
import TreeFormat

@testable import Analyzer

/// Random edits of the tree, followed by the analyzer edge by edge and by a model that walks everything after each event.
@Suite struct TreeRandomTests {
  static let memoryLimit: UInt64 = 1 << 18

  @Test func `the replayed tree is the tree`() {
    let base = Seed.base(20_261_123)
    for run in 0..<60 {
      let seed = base &+ UInt64(run)
      // Every other driver is careful: of it nothing may be told.
      var edits = TreeEdits(Seed(seed), isCareful: seed % 2 == 0)
      edits.run(steps: 120)
      #expect(edits.mismatch == nil, "PAGETAPE_SEED=\(seed): \(edits.mismatch ?? "")")
    }
  }
}

/// A driver that edits its tree at random, and sometimes forgets a trace, or writes what is no tree.
struct TreeEdits: ~Copyable {
  typealias S = TreeScenario
  static let nodePool: [UInt64] = (0..<20).map { 0x20000 + $0 * 0x1000 }
  static let pagePool: [UInt64] = (0..<24).map { 0x60 + $0 * 3 }

  var random: Seed
  var s = S(bare: 2)
  var analyzer: Analyzer
  var fed = 0
  var traced: Set<UInt64> = []
  var base = nodePool[0]
  var mismatch: String?
  var isOver = false
  /// Rules that the model saw broken.
  var expected: Set<Rule> = []

  /// Never forgets a trace, and writes nothing but trees.
  let isCareful: Bool

  init(_ random: Seed, isCareful: Bool) {
    self.random = random
    self.isCareful = isCareful
    analyzer = Analyzer(
      Analyzer.Subject(
        vcpuCount: 2, memory: [GuestRange(start: 0, length: TreeRandomTests.memoryLimit << 12)], region: S.region, attribution: .everyWrite))
  }

  mutating func run(steps: Int) {
    s.register()
    s.put(TreeNode(level: 2, action: 1, lowGFN: 0, endGFN: 1 << 36, body: .interior([.init(firstGFN: 0, gpa: Self.nodePool[1])])), at: base)
    s.put(
      TreeNode(level: 1, action: 2, lowGFN: 0, endGFN: 1 << 36, body: .interior([.init(firstGFN: 0, gpa: Self.nodePool[2])])),
      at: Self.nodePool[1])
    s.put(leaf(low: 0, end: 1 << 36), at: Self.nodePool[2])
    s.protect(0, base, pages: 3)
    s.protect(0, Self.pagePool[0] << 12, pages: 80)
    s.setBase(base)
    s.lock()
    s.call(0, 5, rip: S.entry) { $0.add(.integrityEnter, 0, rip: S.entry, cause: $1) }
    feed()
    for _ in 0..<steps where mismatch == nil && !isOver {
      step()
      feed()
    }
    finish()
  }

  private mutating func leaf(low: UInt64, end: UInt64) -> TreeNode {
    var mappings: [TreeNode.Mapping] = []
    for frame in Self.pagePool where frame >= low && frame < end && random.chance(30) {
      let isPart = random.chance(30)
      mappings.append(
        .init(
          firstGFN: frame, pageCount: isPart ? 1 : UInt64(1 + random.below(3)), firstByte: isPart ? 256 : 0, endByte: isPart ? 512 : 4096,
          action: UInt8(random.below(4))))
    }
    return TreeNode(level: 0, action: UInt8(random.below(4)), lowGFN: low, endGFN: end, body: .leaf(mappings))
  }

  // MARK: Steps

  private mutating func step() {
    let model = current
    guard let frame = model.nodes.keys.sorted().randomElement(using: &random), let node = model.nodes[frame] else { return }
    switch random.below(10) {
    case 0...2: copy(frame, node, model)
    case 3...5: change(frame, node)
    case 6: s.protect(0, Self.pagePool[random.below(Self.pagePool.count)] << 12)
    case 7: removeTrace(model)
    case 8: attack()
    default:
      guard !isCareful, random.chance(15) else { return }
      s.driverWrite(0, frame << 12 + UInt64(random.below(20)) * 8, UInt64(random.below(4)) << 12 | 0x20000)
    }
  }

  private mutating func removeTrace(_ model: TreeModel) {
    let node = Self.nodePool[random.below(Self.nodePool.count)]
    let page = !isCareful && random.chance(50) ? Self.pagePool[random.below(Self.pagePool.count)] << 12 : node
    if isCareful || random.chance(85), model.nodes[page >> 12] != nil || model.names(page >> 12) { return }
    s.unprotect(0, page)
  }

  /// Writes a changed copy of a node into a free page and puts it in the place of the original.
  private mutating func copy(_ frame: UInt64, _ node: TreeNode, _ model: TreeModel) {
    guard frame != base >> 12, let target = freePages(model).randomElement(using: &random) else { return }
    var changed = node
    if node.level == 0 { changed = leaf(low: node.lowGFN, end: node.endGFN) }
    if case .interior(let children) = node.body, node.level == 1, children.count == 1, random.chance(60) {
      split(&changed, children[0], target, model)
    }
    writeFree(changed, at: target)
    if isCareful || random.chance(92) { s.protect(0, target) }
    for (parent, other) in model.nodes {
      guard case .interior(let children) = other.body else { continue }
      for (index, child) in children.enumerated() where child.gpa == frame << 12 {
        s.driverWrite(0, parent << 12 + 64 + UInt64(index) * 16 + 8, target)
      }
    }
  }

  /// Pages that no tree and no trace is on.
  private func freePages(_ model: TreeModel) -> [UInt64] {
    Self.nodePool.filter { model.nodes[$0 >> 12] == nil && !model.untraced.contains($0 >> 12) && !traced.contains($0 >> 12) }
  }

  /// Two leaves in new pages instead of the one there is.
  private mutating func split(_ node: inout TreeNode, _ child: TreeNode.Child, _ taken: UInt64, _ model: TreeModel) {
    let free = freePages(model).filter { $0 != taken }
    guard free.count >= 2 else { return }
    let middle = Self.pagePool[8]
    writeFree(leaf(low: 0, end: middle), at: free[0])
    writeFree(leaf(low: middle, end: node.endGFN), at: free[1])
    s.protect(0, free[0])
    s.protect(0, free[1])
    node.body = .interior([.init(firstGFN: 0, gpa: free[0]), .init(firstGFN: middle, gpa: free[1])])
  }

  /// The driver fills an untraced page; the dirty ring tells at its next exit.
  private mutating func writeFree(_ node: TreeNode, at gpa: UInt64) {
    let old = s.memory[gpa >> 12] ?? [UInt8](repeating: 0, count: 4096)
    let new = node.page
    var runs: [PageDiff.Run] = []
    for offset in stride(from: 0, to: 4096, by: 4) where old[offset..<offset + 4] != new[offset..<offset + 4] {
      runs.append(.init(offset: offset, bytes: Array(new[offset..<offset + 4])))
    }
    s.put(node, at: gpa)
    s.exit(0, .kick, rip: S.entry)
    s.add(.pageWrite, 0, gpa: gpa, a: 1, data: PageDiff(runs: runs).encoded)
    s.enter(0, rip: S.entry)
  }

  private mutating func change(_ frame: UInt64, _ node: TreeNode) {
    if node.level > 0 {
      s.driverWrite(0, frame << 12 + 7, UInt64(random.below(4)), count: 1)
      return
    }
    guard case .leaf(let mappings) = node.body, !mappings.isEmpty else { return }
    let entry = frame << 12 + 64 + UInt64(random.below(mappings.count)) * 32
    if random.chance(50) {
      s.driverWrite(0, entry + 20, UInt64(random.below(4)), count: 1)
    } else {
      s.driverWrite(0, entry + 8, UInt64(random.below(isCareful ? 2 : 3)))
    }
  }

  private mutating func attack() {
    let page = random.chance(50) ? Self.pagePool[random.below(Self.pagePool.count)] << 12 : Self.nodePool[random.below(Self.nodePool.count)]
    guard traced.contains(page >> 12) else { return }
    let gpa = page + UInt64(random.below(511) * 8)
    let model = current
    // A hypervisor sees what is in an untraced node; this model does not.
    guard model.untraced.isEmpty else { return }
    let wanted = model.decision(gpa: gpa, count: 8)
    guard let wanted else {
      s.write(1, gpa, random.next(), .applied)
      return
    }
    let action = AlertAction(rawValue: wanted.1) ?? .deny
    s.write(1, gpa, 0xfeed, .dropped, alert: action == .notify ? .deny : action, wanted.0)
    if action == .notify { expected.insert(.alertWrongAction) }
  }

  // MARK: Model beside analyzer

  private var current: TreeModel { TreeModel(base: base, memory: s.memory, traced: traced, limit: TreeRandomTests.memoryLimit) }

  /// Feeds what is new. A step ends when its vCPU has gone on: what had to be traced by then must be.
  private mutating func feed() {
    while fed < s.events.count, mismatch == nil {
      let event = s.events[fed]
      fed += 1
      analyzer.consume(event)
      if event.kind == .traceInstall { for page in 0..<event.a { traced.insert(event.gpa >> 12 + page) } }
      if event.kind == .traceRemove { for page in 0..<event.a { traced.remove(event.gpa >> 12 + page) } }
    }
    if mismatch == nil { compare() }
  }

  private mutating func compare() {
    let model = current
    let faults = analyzer.findings.findings[.treeMalformed] != nil
    if model.faults > 0 || faults {
      isOver = true
      if (model.faults > 0) != faults {
        mismatch = "\(model.faults) faults, reported: \(faults), at \(fed)"
      }
      return
    }
    let reached = analyzer.protection.tree.reached
    if Set(reached.keys) != model.untraced.union(model.nodes.keys) {
      mismatch = "nodes \(reached.keys.sorted()) instead of \(model.nodes.keys.sorted()) at \(fed)"
    }
    for (frame, node) in model.nodes {
      if reached[frame]?.body.node != node { mismatch = "node \(frame) at \(fed)" }
    }
    for page in Self.pagePool + Self.nodePool.map({ $0 >> 12 }) {
      for offset in [0, 252, 300, 512] as [UInt64] { compareDecision(page << 12 + offset, model) }
    }
    if !model.untraced.isEmpty { expected.insert(.treeUntracedNode) }
    for mapping in model.mappings {
      for frame in mapping.firstGFN..<mapping.firstGFN + mapping.pageCount where !traced.contains(frame) { expected.insert(.treeUntracedMapping) }
    }
  }

  private mutating func compareDecision(_ gpa: UInt64, _ model: TreeModel) {
    let wanted = model.decision(gpa: gpa, count: 8)
    switch analyzer.protection.decision(vcpu: 1, gpa: gpa, count: 8) {
    case .none: if wanted != nil { mismatch = "no alert for \(gpa) at \(fed)" }
    case .unknown: if model.untraced.isEmpty { mismatch = "unknown \(gpa) at \(fed)" }
    case .alert(let origin, let action, _):
      if wanted == nil || wanted?.0 != origin || wanted?.1 != action { mismatch = "\(origin) \(action) for \(gpa) at \(fed)" }
    }
  }

  private mutating func finish() {
    if isCareful, isOver || !expected.isSubset(of: [.alertWrongAction]) { mismatch = "a careful driver broke \(expected.map(\.name))" }
    guard mismatch == nil, !isOver else { return }
    let rules: Set<Rule> = [
      .treeUntracedNode, .treeUntracedMapping, .alertWrongAction, .alertMissing, .alertSpurious, .treeGapWrite, .treeProtectedWrite,
    ]
    let told = Set(analyzer.findings.findings.keys).intersection(rules)
    if told != expected { mismatch = "told \(told.map(\.name).sorted()), expected \(expected.map(\.name).sorted())" }
  }
}
