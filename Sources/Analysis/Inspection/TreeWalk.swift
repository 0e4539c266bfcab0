public import TraceEvents
public import TraceFormat
public import TreeFormat

/// The tree of protected pages as it is found from the base pointer on, in what a trace tells of the pages that hold it.
///
/// Those pages are a guest's, and may hold anything: each node is gone into once, levels must fall, and the walk ends after a number of entries.
public struct TreeWalk: Hashable, Sendable {
  public enum Finding: Hashable, Sendable {
    case node(TreeNode)
    case mapping(TreeNode.Mapping)
    /// What the page holds is no node that may be there; the text says why. A node is gone into no further.
    case malformed(String)
    /// What the page holds is not known; the text says why.
    case unknown(String)
    /// A page that stores a node elsewhere in the tree.
    case repeated
  }

  /// One line of the walk: parents come before their children, which come by ascending key.
  public struct Entry: Hashable, Sendable {
    /// Steps from the base node, which is at 0.
    public var depth: Int
    /// Page of the node, or first page of the mapping.
    public var gpa: UInt64
    public var finding: Finding
  }

  public private(set) var entries: [Entry] = []
  /// The walk ended at its limit: there is more.
  public private(set) var isCut = false

  private let limit: Int
  private var visited: Set<UInt64> = []

  /// Walks from the base pointer of a state; nothing is found where there is none.
  ///
  /// `memory` is what the guest has; where it is empty any address passes. At most `limit` entries.
  public init(_ state: MachineState, memory: [GuestRange], limit: Int) {
    self.limit = limit
    guard let base = state.basePointer else { return }
    visit(base, Slot(depth: 0, level: nil, cover: nil), state, memory)
  }

  /// What a parent says of a child.
  private struct Slot {
    var depth: Int
    var level: UInt8?
    var cover: Range<UInt64>?
  }

  private mutating func add(_ depth: Int, _ gpa: UInt64, _ finding: Finding) {
    guard entries.count < limit else {
      isCut = true
      return
    }
    entries.append(Entry(depth: depth, gpa: gpa, finding: finding))
  }

  private mutating func visit(_ gpa: UInt64, _ slot: Slot, _ state: MachineState, _ memory: [GuestRange]) {
    guard !isCut else { return }
    guard gpa % guestPageSize == 0 else { return add(slot.depth, gpa, .malformed("the address is not that of a page")) }
    guard memory.isEmpty || memory.contains(where: { $0.contains(gpa) }) else {
      return add(slot.depth, gpa, .malformed("the page is outside guest memory"))
    }
    guard visited.insert(gpa).inserted else { return add(slot.depth, gpa, .repeated) }
    guard let page = state.contents[gpa / guestPageSize] else {
      let isTraced = state.isTraced(gfn: gpa / guestPageSize)
      return add(slot.depth, gpa, .unknown(isTraced ? "the trace does not tell what it holds" : "no write trace is on it, so what it holds is not known"))
    }
    do throws(TreeNodeError) {
      let node = try unsafe TreeNode(page: page.span.bytes)
      if let fault = Self.fault(node, slot) { return add(slot.depth, gpa, .malformed(fault)) }
      add(slot.depth, gpa, .node(node))
      descend(node, slot.depth + 1, state, memory)
    } catch {
      add(slot.depth, gpa, .malformed("\(error)"))
    }
  }

  private mutating func descend(_ node: TreeNode, _ depth: Int, _ state: MachineState, _ memory: [GuestRange]) {
    switch node.body {
    case .leaf(let mappings):
      for mapping in mappings where !isCut { add(depth, mapping.firstGFN * guestPageSize, .mapping(mapping)) }
    case .interior(let children):
      for (index, child) in children.enumerated() {
        let end = index + 1 < children.count ? children[index + 1].firstGFN : node.endGFN
        visit(child.gpa, Slot(depth: depth, level: node.level - 1, cover: child.firstGFN..<end), state, memory)
      }
    }
  }

  /// What of a node contradicts its parent. Its level falls by one from node to node: no walk is deeper than a tree may be.
  private static func fault(_ node: TreeNode, _ slot: Slot) -> String? {
    if let level = slot.level, node.level != level { return "it has level \(node.level), where its parent has a child of level \(level)" }
    if let cover = slot.cover, node.lowGFN != cover.lowerBound || node.endGFN != cover.upperBound {
      return "it covers other pages than its parent has it for"
    }
    return nil
  }
}
