import TraceEvents
import TreeFormat

/// The protected-page tree (US20170337000A1) as the hypervisor sees it: pages of guest memory, reached from the base pointer.
///
/// The guest may have written anything into them. Every page that a walk comes to is decoded and checked afresh, must cover exactly the
/// keys that its parent gives it, and must be one level below it; so a walk ends after at most 5 visits whatever it meets.
/// What a walk cannot read protects nothing: that the tree is broken shows in the trace.
struct ProtectionTree<Host: HypervisorHost> {
  let base: UInt64?
  let host: Host

  /// What the tree says of a write of `length` bytes at `gpa`, not across pages. A page that stores a node is a node first.
  func naming(gpa: UInt64, length: UInt64) -> WriteNaming {
    let page = gpa & ~(guestPageSize - 1)
    if let action = nodeAction(page) { return .node(action) }
    guard case .leaf(let mappings)? = walk(to: gpa / guestPageSize)?.body else { return .none }
    let covering = mappings.filter { $0.covers(gpa: gpa, length: length) }
    guard let worst = covering.map(\.action).max(), let action = AlertAction(rawValue: worst) else { return .none }
    return .mapping(action)
  }

  /// The action of the node in this page; nil where the page stores no reachable node.
  ///
  /// A node states its level and its lowest key, so the walk to that key comes through it or it is not in the tree: the cost is 5 visits,
  /// not a search of all nodes.
  private func nodeAction(_ page: UInt64) -> AlertAction? {
    guard base != nil, let node = node(at: page) else { return nil }
    var isReached = false
    _ = walk(to: node.lowGFN) { isReached = isReached || $0 == page }
    return isReached ? AlertAction(rawValue: node.action) : nil
  }

  /// Goes down from the base towards `gfn`, telling where it comes through; returns the leaf, nil where there is none.
  private func walk(to gfn: UInt64, visit: (UInt64) -> Void = { _ in }) -> TreeNode? {
    guard var at = base, var node = node(at: at) else { return nil }
    for _ in 0..<TreeLayout.maximumDepth {
      visit(at)
      guard gfn >= node.lowGFN, gfn < node.endGFN else { return nil }
      guard case .interior(let children) = node.body else { return node }
      guard let index = children.lastIndex(where: { $0.firstGFN <= gfn }) else { return nil }
      let end = index + 1 < children.count ? children[index + 1].firstGFN : node.endGFN
      at = children[index].gpa
      guard let child = self.node(at: at), child.level + 1 == node.level else { return nil }
      guard child.lowGFN == children[index].firstGFN, child.endGFN == end else { return nil }
      node = child
    }
    return nil
  }

  /// Whether the pages below the base pointer are a tree: every child one level below its parent, and in charge of the keys that it gives it.
  ///
  /// Two parents give no two children the same keys, so that no page is come to twice: the cost is that of one visit to each node.
  func isWellFormed() -> Bool {
    guard let base, let root = node(at: base) else { return false }
    var open = [root]
    while let node = open.popLast() {
      guard case .interior(let children) = node.body else { continue }
      for (index, child) in children.enumerated() {
        let end = index + 1 < children.count ? children[index + 1].firstGFN : node.endGFN
        guard let next = self.node(at: child.gpa), next.level + 1 == node.level else { return false }
        guard next.lowGFN == child.firstGFN, next.endGFN == end else { return false }
        open.append(next)
      }
    }
    return true
  }

  /// The node in a page; nil where there is none, or no such page.
  func node(at gpa: UInt64) -> TreeNode? {
    guard let bytes = host.readMemory(gpa: gpa, count: Int(guestPageSize)) else { return nil }
    // SAFETY: the span lives no longer than `bytes`, and `TreeNode` stays within its bounds.
    return unsafe try? TreeNode(page: bytes.span.bytes)
  }
}
