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

  /// A leaf: its frame, what it maps and since when, and the frames that it is for.
  struct Leaf {
    var frame: UInt64 = 0
    var low: UInt64 = 0
    var end: UInt64 = 0
    var mappings: [TreeNode.Mapping] = []
    var since: [Moment] = []

    func holds(_ frame: UInt64) -> Bool { frame >= low && frame < end }

    func cover(gpa: UInt64, length: UInt64) -> Cover {
      var cover = Cover(leaf: frame)
      var index = lastIndex(of: mappings, notAfter: gpa >> 12)
      while index >= 0, mappings[index].firstGFN <= gpa >> 12 {
        let mapping = mappings[index]
        if mapping.covers(gpa: gpa, length: length) {
          cover.action = max(cover.action ?? 0, mapping.action)
          if since[index].seq < cover.since.seq {
            cover.since = since[index]
            cover.mapping = mapping
          }
        }
        if mapping.firstGFN < gpa >> 12 { break }
        index -= 1
      }
      return cover
    }
  }

  /// The mappings that cover `length` bytes at `gpa` (within one page).
  func cover(gpa: UInt64, length: UInt64) -> Cover {
    if leafAtHand.holds(gpa >> 12) { return leafAtHand.cover(gpa: gpa, length: length) }
    switch walk(to: gpa >> 12) {
    case .leaf(let leaf): return leaf.cover(gpa: gpa, length: length)
    case .none: return Cover()
    case .unknown: return Cover(isUnknown: true)
    }
  }

  /// Who names a frame, whatever the bytes.
  enum Naming: Equatable {
    case none, unknown
    /// The end of the mapping that does.
    case mapping(end: UInt64)
  }

  func naming(_ frame: UInt64) -> Naming {
    switch walk(to: frame) {
    case .leaf(let leaf):
      let index = lastIndex(of: leaf.mappings, notAfter: frame)
      guard index >= 0 else { return .none }
      let end = leaf.mappings[index].firstGFN + leaf.mappings[index].pageCount
      return frame < end ? .mapping(end: end) : .none
    case .none: return .none
    case .unknown: return .unknown
    }
  }

  /// The first named frame in the range, with the end of the mapping that names it.
  func firstNamed(from low: UInt64, to end: UInt64) -> FrameRange? {
    guard let base, low < end else { return nil }
    return firstNamed(under: base, from: low, to: end)
  }

  private func firstNamed(under frame: UInt64, from low: UInt64, to end: UInt64) -> FrameRange? {
    guard let body = reached[frame]?.body, let node = body.node, node.lowGFN < end, node.endGFN > low else { return nil }
    if case .leaf(let mappings) = node.body {
      var index = max(0, lastIndex(of: mappings, notAfter: low))
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

  enum Walk {
    case leaf(Leaf)
    case none
    /// It met a page whose contents are not known.
    case unknown
  }

  /// From the base pointer to the leaf for a frame.
  func walk(to frame: UInt64) -> Walk {
    guard var at = base else { return .none }
    var place = reached[at]
    for _ in 0..<TreeLayout.maximumDepth {
      guard let found = place, let node = found.body.node else { return .unknown }
      guard frame >= node.lowGFN, frame < node.endGFN else { return .none }
      let children: [TreeNode.Child]
      switch node.body {
      case .leaf(let mappings):
        return .leaf(Leaf(frame: at, low: node.lowGFN, end: node.endGFN, mappings: mappings, since: found.mappingsSince))
      case .interior(let list): children = list
      }
      var low = 0
      var high = children.count
      while low < high {
        let middle = (low + high) / 2
        if children[middle].firstGFN <= frame { low = middle + 1 } else { high = middle }
      }
      guard low > 0 else { return .none }
      let child = children[low - 1].gpa >> 12
      guard let next = reached[child], next.slot.parent == at, next.slot.low == children[low - 1].firstGFN else { return .unknown }
      at = child
      place = next
    }
    return .none
  }
}

/// The last mapping that begins at or before a frame, -1 for none.
private func lastIndex(of mappings: [TreeNode.Mapping], notAfter frame: UInt64) -> Int {
  var low = 0
  var high = mappings.count
  while low < high {
    let middle = (low + high) / 2
    if mappings[middle].firstGFN <= frame { low = middle + 1 } else { high = middle }
  }
  return low - 1
}
