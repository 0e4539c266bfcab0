internal import TraceEvents
internal import TreeFormat

/// The tree of protected pages as it is in guest memory, replayed from what the trace shows of its pages.
///
/// Only what a write changed is looked at again: a node page that is written is decoded anew, and the edges it gained and lost are
/// followed. A subtree that merely changed hands (its parent was replaced by a copy) is kept as it is.
struct ProtectedTree {
  /// When, and by whom, something became reachable.
  struct Moment: Hashable {
    var seq: UInt64
    var vcpu: UInt16
  }

  enum Body {
    /// What the page holds is not known, or not for certain.
    case unknown
    /// The page is not a node that can be where it is: reported as malformed.
    case broken
    case node(TreeNode)
  }

  /// Where a parent puts a node.
  struct Slot: Hashable {
    /// Frame of the parent, `ProtectedTree.noParent` for the base node.
    var parent: UInt64
    var low: UInt64
    var end: UInt64
    /// The level that the node must have; nil for the base node, which has any.
    var level: UInt8?
  }

  struct Reached {
    var slot: Slot
    var linked: Moment
    var body: Body
    /// For a leaf: when each of its mappings became reachable, in their order.
    var mappingsSince: [Moment] = []
    /// Its parent dropped it in the change that is being followed, and nobody took it up yet.
    var isOrphan = false
  }

  /// What one change did to the tree, for the judge to look at.
  struct News {
    struct Fault {
      var frame: UInt64
      var what: String
    }

    var nodes: [UInt64] = []
    var mappings: [(leaf: UInt64, mapping: TreeNode.Mapping)] = []
    var faults: [Fault] = []
    /// Frame ranges that are no longer named, or stored nodes until now.
    var unnamed: [FrameRange] = []

    var isEmpty: Bool { nodes.isEmpty && mappings.isEmpty && faults.isEmpty && unnamed.isEmpty }

    mutating func removeAll() {
      nodes.removeAll(keepingCapacity: true)
      mappings.removeAll(keepingCapacity: true)
      faults.removeAll(keepingCapacity: true)
      unnamed.removeAll(keepingCapacity: true)
    }
  }

  static let noParent = UInt64.max

  let memory: [GuestRange]
  var known = KnownPages()
  var reached: [UInt64: Reached] = [:]
  /// Every page that was ever reached: nearly all others are known for none without hashing.
  var everReached = PageFilter()
  var base: UInt64?
  /// Reachable nodes whose body is not a node: below them anything may be.
  var opaqueCount = 0
  var news = News()
  /// A leaf that was walked to, as long as nothing changes.
  private(set) var leafAtHand = Leaf()

  /// Where no write traps, pages are read as of the last page-write told of them. That may be in the middle of a change: what is no node then is unknown.
  let readsUntraced: Bool

  init(memory: [GuestRange], readsUntraced: Bool = false) {
    self.memory = memory
    self.readsUntraced = readsUntraced
  }

  func isGuestMemory(frame: UInt64) -> Bool {
    guard frame < TreeLayout.gfnLimit else { return false }
    let gpa = frame << 12
    return memory.contains { gpa >= $0.start && $0.length >= 4096 && gpa - $0.start <= $0.length - 4096 }
  }

  mutating func setBase(_ frame: UInt64, at moment: Moment, _ pages: borrowing TracedPages) {
    leafAtHand = Leaf()
    if let old = base { drop(old) }
    base = frame
    guard isGuestMemory(frame: frame) else { return }
    link(frame, Slot(parent: Self.noParent, low: 0, end: TreeLayout.gfnLimit, level: nil), at: moment, pages)
  }

  /// A known page changed, or became known or unknown: looks at it again.
  mutating func pageChanged(_ frame: UInt64, at moment: Moment, _ pages: borrowing TracedPages) {
    guard let node = reached[frame] else { return }
    leafAtHand = Leaf()
    replaceBody(of: frame, with: read(frame, node.slot, pages), at: moment, pages)
  }

  /// Whether the page is a reachable node.
  func isReached(_ frame: UInt64) -> Bool { everReached.isMarked(frame) && reached.index(forKey: frame) != nil }

  /// The node that the page is.
  func node(_ frame: UInt64) -> Reached? { everReached.isMarked(frame) ? reached[frame] : nil }

  /// Walks to the leaf for a page now, for those that ask for it next.
  mutating func takeInHand(_ frame: UInt64) {
    if !leafAtHand.holds(frame), case .leaf(let leaf) = walk(to: frame) { leafAtHand = leaf }
  }

  /// The nodes whose pages are in the range.
  func reachedFrames(in range: FrameRange) -> [UInt64] {
    if range.end - range.low <= UInt64(reached.count) { return (range.low..<range.end).filter { reached[$0] != nil } }
    return reached.keys.filter(range.contains).sorted()
  }

  /// The base node is still where it was, and nothing else is known.
  mutating func forget() {
    known.forget()
    leafAtHand = Leaf()
    reached = [:]
    opaqueCount = 0
    news.removeAll()
    if let base {
      let slot = Slot(parent: Self.noParent, low: 0, end: TreeLayout.gfnLimit, level: nil)
      reached[base] = Reached(slot: slot, linked: Moment(seq: .max, vcpu: Event.host), body: .unknown)
      everReached.mark(base, base + 1)
      opaqueCount = 1
    }
  }

  // MARK: Reading a page as the node it must be

  /// What the page holds, seen from its slot. Of a page that is not traced that is not known: the trace may not show the latest write.
  mutating func read(_ frame: UInt64, _ slot: Slot, _ pages: borrowing TracedPages) -> Body {
    guard pages.isTraced(frame) || readsUntraced else { return .unknown }
    switch known.decode(frame) {
    case .unknown: return .unknown
    case .error(let error):
      return notNode(frame, "the page \(gpaText(frame << 12)) is not a valid node: \(error)")
    case .node(let node):
      guard let level = slot.level else { return .node(node) }
      if node.level != level {
        return notNode(frame, "the node at \(gpaText(frame << 12)) has level \(node.level) under a parent of level \(level + 1)")
      }
      if node.lowGFN != slot.low || node.endGFN != slot.end {
        let cover = "\(gpaText(node.lowGFN))..<\(gpaText(node.endGFN))"
        return notNode(
          frame, "the node at \(gpaText(frame << 12)) covers frames \(cover), its parent's slot \(gpaText(slot.low))..<\(gpaText(slot.end))")
      }
      return .node(node)
    }
  }

  private mutating func notNode(_ frame: UInt64, _ what: String) -> Body {
    if readsUntraced { return .unknown }
    news.faults.append(News.Fault(frame: frame, what: what))
    return .broken
  }
}

extension ProtectedTree.Body {
  var isOpaque: Bool {
    if case .node = self { return false }
    return true
  }

  var node: TreeNode? {
    if case .node(let node) = self { return node }
    return nil
  }

  var mappings: [TreeNode.Mapping] {
    if case .node(let node) = self, case .leaf(let mappings) = node.body { return mappings }
    return []
  }

  /// The children with the slots this node gives them, in key order.
  func edges(from frame: UInt64) -> [(frame: UInt64, slot: ProtectedTree.Slot)] {
    guard case .node(let node) = self, case .interior(let children) = node.body else { return [] }
    return children.indices.map { index in
      let end = index + 1 < children.count ? children[index + 1].firstGFN : node.endGFN
      return (
        children[index].gpa >> 12, ProtectedTree.Slot(parent: frame, low: children[index].firstGFN, end: end, level: node.level - 1)
      )
    }
  }
}

/// An address as findings show it.
func gpaText(_ gpa: UInt64) -> String { "0x" + String(gpa, radix: 16) }

/// Who did something, `vCPU 3` or `the host`: a tree can be the host's work.
package func actorText(_ vcpu: UInt16) -> String { vcpu == Event.host ? "the host" : "vCPU \(vcpu)" }
