internal import TraceEvents
internal import TreeFormat

/// Walking from the base pointer.
extension ProtectedTree {
  /// What the leaves say of a write.
  struct Cover {
    /// The most severe alert action of the mappings that cover it; nil for none.
    var action: UInt8?
    /// The mapping that has been reachable longest, and since when.
    var mapping: TreeNode.Mapping?
    var leaf: UInt64 = 0
    var since = Moment(seq: .max, vcpu: .max)
    /// The walk met a page whose contents are not known.
    var isUnknown = false
  }

  /// The mappings that cover `length` bytes at `gpa` (within one page).
  func cover(gpa: UInt64, length: UInt64) -> Cover {
    var cover = Cover()
    guard let leaf = leaf(for: gpa >> 12, &cover), case .leaf(let mappings) = leaf.node.body else { return cover }
    var index = Self.lastIndex(of: mappings, notAfter: gpa >> 12)
    while index >= 0, mappings[index].firstGFN <= gpa >> 12 {
      let mapping = mappings[index]
      if mapping.covers(gpa: gpa, length: length) {
        cover.action = max(cover.action ?? 0, mapping.action)
        let since = reached[cover.leaf]?.mappingsSince[index] ?? cover.since
        if since.seq < cover.since.seq {
          cover.since = since
          cover.mapping = mapping
        }
      }
      if mapping.firstGFN < gpa >> 12 { break }
      index -= 1
    }
    return cover
  }

  /// Who names a frame, whatever the bytes.
  enum Naming: Equatable {
    case none, unknown
    /// The end of the mapping that does.
    case mapping(end: UInt64)
  }

  func naming(_ frame: UInt64) -> Naming {
    var cover = Cover()
    guard let leaf = leaf(for: frame, &cover), case .leaf(let mappings) = leaf.node.body else { return cover.isUnknown ? .unknown : .none }
    let index = Self.lastIndex(of: mappings, notAfter: frame)
    guard index >= 0 else { return .none }
    let end = mappings[index].firstGFN + mappings[index].pageCount
    return frame < end ? .mapping(end: end) : .none
  }

  /// The first named frame in the range, with the end of the mapping that names it.
  func firstNamed(from low: UInt64, to end: UInt64) -> FrameRange? {
    guard let base, low < end else { return nil }
    return firstNamed(under: base, from: low, to: end)
  }

  private func firstNamed(under frame: UInt64, from low: UInt64, to end: UInt64) -> FrameRange? {
    guard let body = reached[frame]?.body, let node = body.node, node.lowGFN < end, node.endGFN > low else { return nil }
    if case .leaf(let mappings) = node.body {
      var index = max(0, Self.lastIndex(of: mappings, notAfter: low))
      while index < mappings.count {
        let range = FrameRange(mappings[index])
        if range.low >= end { return nil }
        if range.end > low { return FrameRange(low: max(range.low, low), end: min(range.end, end)) }
        index += 1
      }
      return nil
    }
    for edge in body.edges(from: frame) where edge.slot.low < end && edge.slot.end > low && reached[edge.frame]?.slot == edge.slot {
      if let found = firstNamed(under: edge.frame, from: low, to: end) { return found }
    }
    return nil
  }

  private func leaf(for frame: UInt64, _ cover: inout Cover) -> (node: TreeNode, frame: UInt64)? {
    guard var at = base else { return nil }
    for _ in 0..<TreeLayout.maximumDepth {
      guard let node = reached[at]?.body.node else {
        cover.isUnknown = true
        return nil
      }
      guard frame >= node.lowGFN, frame < node.endGFN else { return nil }
      guard case .interior(let children) = node.body else {
        cover.leaf = at
        return (node, at)
      }
      var low = 0
      var high = children.count
      while low < high {
        let middle = (low + high) / 2
        if children[middle].firstGFN <= frame { low = middle + 1 } else { high = middle }
      }
      guard low > 0 else { return nil }
      let child = children[low - 1].gpa >> 12
      guard let next = reached[child], next.slot.parent == at, next.slot.low == children[low - 1].firstGFN else {
        cover.isUnknown = true
        return nil
      }
      at = child
    }
    return nil
  }

  private static func lastIndex(of mappings: [TreeNode.Mapping], notAfter frame: UInt64) -> Int {
    var low = 0
    var high = mappings.count
    while low < high {
      let middle = (low + high) / 2
      if mappings[middle].firstGFN <= frame { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }
}
