import TraceEvents
import TreeFormat

/// The tree by brute force: everything walked anew from the base node each time, over plain memory.
struct TreeModel {
  var nodes: [UInt64: TreeNode] = [:]
  var mappings: [TreeNode.Mapping] = []
  var faults = 0

  /// Pages that the tree names as nodes, and nobody can be sure what is in them: they are not traced.
  var untraced: Set<UInt64> = []
  private var traced: Set<UInt64>

  init(base: UInt64, memory: [UInt64: [UInt8]], traced: Set<UInt64>, limit: UInt64) {
    self.traced = traced
    walk(base >> 12, low: 0, end: TreeLayout.gfnLimit, level: nil, memory, limit)
  }

  private mutating func walk(_ frame: UInt64, low: UInt64, end: UInt64, level: UInt8?, _ memory: [UInt64: [UInt8]], _ limit: UInt64) {
    if frame < limit, nodes[frame] == nil, !untraced.contains(frame), !traced.contains(frame) {
      untraced.insert(frame)
      return
    }
    guard frame < limit, !untraced.contains(frame), nodes[frame] == nil, let page = memory[frame],
      let node = try? unsafe TreeNode(page: page.span.bytes)
    else {
      faults += 1
      return
    }
    if let level, node.level != level || node.lowGFN != low || node.endGFN != end {
      faults += 1
      return
    }
    nodes[frame] = node
    switch node.body {
    case .leaf(let list): mappings += list
    case .interior(let children):
      for (index, child) in children.enumerated() {
        let stop = index + 1 < children.count ? children[index + 1].firstGFN : node.endGFN
        walk(child.gpa >> 12, low: child.firstGFN, end: stop, level: node.level - 1, memory, limit)
      }
    }
  }

  /// Origin and action, nil for none, of a write by a vCPU outside integrity mode.
  func decision(gpa: UInt64, count: UInt64) -> (AlertOrigin, UInt8)? {
    if let node = nodes[gpa >> 12] { return (.node, node.action) }
    return mappings.filter { $0.covers(gpa: gpa, length: count) }.map(\.action).max().map { (.mapping, $0) }
  }

  func names(_ frame: UInt64) -> Bool { mappings.contains { frame >= $0.firstGFN && frame - $0.firstGFN < $0.pageCount } }
}
