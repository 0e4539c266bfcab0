public import TraceEvents
public import TreeFormat

/// A protected-page tree that the host builds, for a guest without a driver that would build one (US20170337000A1).
///
/// It lies in guest memory that is the guest's to read and nobody's to use; its own nodes deny every write.
public struct ProtectionPlan: Hashable, Sendable {
  public struct Node: Hashable, Sendable {
    /// The page that is to hold it.
    public var gpa: UInt64
    public var node: TreeNode
  }

  /// What is protected, byte by byte: ascending, and no two of them touch.
  public let ranges: [GuestRange]
  /// Children before their parents; the base node is the last one.
  public let nodes: [Node]

  public var base: UInt64 { nodes[nodes.count - 1].gpa }

  /// The pages that the tree takes.
  public var tree: GuestRange { GuestRange(start: nodes[0].gpa, length: UInt64(nodes.count) * guestPageSize) }

  /// All that must be there of guest memory.
  package var memory: [GuestRange] { ranges + [tree] }

  /// What of it, or of its tree, is in the page of an address; nil for nothing.
  package func range(at gpa: UInt64) -> GuestRange? {
    let page = gpa / guestPageSize
    return memory.first { $0.start / guestPageSize <= page && page <= ($0.start + $0.length - 1) / guestPageSize }
  }

  /// A tree in as many pages from `start` on as it takes. Writes to the bytes of `ranges`, which may overlap, are answered with `action`.
  public init(protecting ranges: [GuestRange], action: AlertAction = .notify, treeAt start: UInt64) throws(ProtectionPlanError) {
    precondition(start % guestPageSize == 0, "a tree starts with a page")
    self.ranges = try Self.merged(ranges)
    var level: [(low: UInt64, body: TreeNode.Body)] = try Self.leaves(self.ranges.flatMap { Self.mappings(of: $0, action.rawValue) })
    var nodes: [Node] = []
    var height: UInt8 = 0
    while true {
      var children: [TreeNode.Child] = []
      for (index, part) in level.enumerated() {
        let end = index + 1 < level.count ? level[index + 1].low : TreeLayout.gfnLimit
        let gpa = start + UInt64(nodes.count) * guestPageSize
        nodes.append(
          Node(gpa: gpa, node: TreeNode(level: height, action: AlertAction.deny.rawValue, lowGFN: part.low, endGFN: end, body: part.body)))
        children.append(TreeNode.Child(firstGFN: part.low, gpa: gpa))
      }
      if children.count == 1 { break }
      height += 1
      level = stride(from: 0, to: children.count, by: TreeLayout.interiorCapacity).map { first in
        let part = Array(children[first..<min(first + TreeLayout.interiorCapacity, children.count)])
        return (part[0].firstGFN, .interior(part))
      }
    }
    self.nodes = nodes
    let tree = tree
    if let range = self.ranges.first(where: { $0.start < tree.start + tree.length && tree.start < $0.start + $0.length }) {
      throw ProtectionPlanError.meetsTree(range)
    }
  }

  private static func merged(_ ranges: [GuestRange]) throws(ProtectionPlanError) -> [GuestRange] {
    var merged: [GuestRange] = []
    let limit = TreeLayout.gfnLimit * guestPageSize
    for range in ranges.sorted(by: { $0.start < $1.start }) {
      guard range.length > 0, range.length <= limit, range.start <= limit - range.length else { throw .noSuchMemory(range) }
      if let last = merged.last, range.start <= last.start + last.length {
        merged[merged.count - 1].length = max(last.start + last.length, range.start + range.length) - last.start
      } else {
        merged.append(range)
      }
    }
    guard !merged.isEmpty else { throw .nothing }
    return merged
  }

  /// Whole pages as one mapping, and one each for a part of a page before and behind them.
  private static func mappings(of range: GuestRange, _ action: UInt8) -> [TreeNode.Mapping] {
    let end = range.start + range.length
    var mappings: [TreeNode.Mapping] = []
    var at = range.start
    while at < end {
      let (page, offset) = (at / guestPageSize, at % guestPageSize)
      if offset == 0, end - at >= guestPageSize {
        let count = (end - at) / guestPageSize
        mappings.append(TreeNode.Mapping(firstGFN: page, pageCount: count, action: action))
        at += count * guestPageSize
      } else {
        let stop = min(end - page * guestPageSize, guestPageSize)
        mappings.append(TreeNode.Mapping(firstGFN: page, firstByte: UInt16(offset), endByte: UInt16(stop), action: action))
        at = page * guestPageSize + stop
      }
    }
    return mappings
  }

  /// Leaves that hold the mappings; those of one page are in one leaf.
  private static func leaves(_ mappings: [TreeNode.Mapping]) throws(ProtectionPlanError) -> [(low: UInt64, body: TreeNode.Body)] {
    var leaves: [(low: UInt64, body: TreeNode.Body)] = []
    var first = 0
    while first < mappings.count {
      var end = min(first + TreeLayout.leafCapacity, mappings.count)
      while end < mappings.count, end > first, mappings[end].firstGFN == mappings[end - 1].firstGFN { end -= 1 }
      guard end > first else { throw .crowdedPage(mappings[first].firstGFN * guestPageSize) }
      leaves.append((leaves.isEmpty ? 0 : mappings[first].firstGFN, .leaf(Array(mappings[first..<end]))))
      first = end
    }
    return leaves
  }
}

/// Why memory cannot be protected as asked.
public enum ProtectionPlanError: Error, Hashable, Sendable, CustomStringConvertible {
  case nothing
  case noSuchMemory(GuestRange)
  case meetsTree(GuestRange)
  /// The page at this address would need more mappings than a leaf holds.
  case crowdedPage(UInt64)
  /// A base pointer is there already.
  case alreadyRegistered

  public var description: String {
    switch self {
    case .nothing: return "nothing to protect"
    case .noSuchMemory(let range): return "\(range.text) is not all guest memory"
    case .meetsTree(let range): return "\(range.text) meets the memory of the tree itself"
    case .crowdedPage(let gpa): return "more than \(TreeLayout.leafCapacity) ranges in the page at 0x\(String(gpa, radix: 16))"
    case .alreadyRegistered: return "the guest has registered a tree of its own"
    }
  }
}

extension GuestRange {
  /// As people write it: the first address and the length.
  package var text: String { "0x\(String(start, radix: 16))+0x\(String(length, radix: 16))" }
}
