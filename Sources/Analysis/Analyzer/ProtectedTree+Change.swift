internal import TraceEvents
internal import TreeFormat

/// Following a change: edges lost first, then edges gained, then what is still lost goes.
extension ProtectedTree {
  mutating func replaceBody(of frame: UInt64, with body: Body, at moment: Moment, _ pages: borrowing TracedPages) {
    guard let old = reached[frame] else { return }
    let oldEdges = old.body.edges(from: frame)
    let newEdges = body.edges(from: frame)
    setBody(of: frame, from: old, to: body, at: moment)

    var kept: [UInt64: Slot] = [:]
    for edge in newEdges { kept[edge.frame] = edge.slot }
    var orphans: [UInt64] = []
    for edge in oldEdges where kept[edge.frame] != edge.slot && reached[edge.frame]?.slot == edge.slot {
      reached[edge.frame]?.isOrphan = true
      orphans.append(edge.frame)
    }
    for edge in newEdges where reached[edge.frame]?.slot != edge.slot || reached[edge.frame]?.isOrphan == true {
      link(edge.frame, edge.slot, at: moment, pages)
    }
    for orphan in orphans where reached[orphan]?.isOrphan == true { drop(orphan) }
  }

  /// Puts a new body in place, and tells which mappings came and went.
  private mutating func setBody(of frame: UInt64, from old: Reached, to body: Body, at moment: Moment) {
    opaqueCount += (body.isOpaque ? 1 : 0) - (old.body.isOpaque ? 1 : 0)
    let before = old.body.mappings
    let after = body.mappings
    // Most changes are at the end.
    var index = 0
    while index < min(before.count, after.count), before[index] == after[index] { index += 1 }
    var since = Array(old.mappingsSince.prefix(index))
    since.reserveCapacity(after.count)
    for mapping in after.dropFirst(index) {
      // Both ascend: what is passed over is gone.
      while index < before.count, before[index].comesBefore(mapping) {
        news.unnamed.append(FrameRange(before[index]))
        index += 1
      }
      if index < before.count, before[index] == mapping {
        since.append(old.mappingsSince[index])
        index += 1
      } else {
        since.append(moment)
        news.mappings.append((frame, mapping))
      }
    }
    for mapping in before[index...] { news.unnamed.append(FrameRange(mapping)) }
    reached[frame]?.body = body
    reached[frame]?.mappingsSince = since
  }

  /// A parent, or the base pointer, names this page as a node.
  mutating func link(_ frame: UInt64, _ slot: Slot, at moment: Moment, _ pages: borrowing TracedPages) {
    guard isGuestMemory(frame: frame) else {
      let parent = gpaText(slot.parent << 12)
      news.faults.append(News.Fault(frame: frame, what: "the node at \(parent) names a child at \(gpaText(frame << 12)), outside guest memory"))
      return
    }
    if reached[frame] != nil {
      guard isOrphaned(frame) else {
        news.faults.append(News.Fault(frame: frame, what: sharing(frame, slot)))
        return
      }
      adopt(frame, slot, at: moment, pages)
      return
    }
    reached[frame] = Reached(slot: slot, linked: moment, body: .unknown)
    everReached.mark(frame, frame + 1)
    opaqueCount += 1
    news.nodes.append(frame)
    replaceBody(of: frame, with: read(frame, slot, pages), at: moment, pages)
  }

  /// A node that was reachable through a parent that is going away has a new one: it was reachable all along.
  private mutating func adopt(_ frame: UInt64, _ slot: Slot, at moment: Moment, _ pages: borrowing TracedPages) {
    guard let node = reached[frame] else { return }
    reached[frame]?.slot = slot
    reached[frame]?.isOrphan = false
    if node.slot.low != slot.low || node.slot.end != slot.end || node.slot.level != slot.level || node.body.isOpaque {
      replaceBody(of: frame, with: read(frame, slot, pages), at: moment, pages)
    }
  }

  /// No longer reachable, and what only it led to neither.
  mutating func drop(_ frame: UInt64) {
    guard let node = reached.removeValue(forKey: frame) else { return }
    if node.body.isOpaque { opaqueCount -= 1 }
    news.unnamed.append(FrameRange(low: frame, end: frame + 1))
    for mapping in node.body.mappings { news.unnamed.append(FrameRange(mapping)) }
    for edge in node.body.edges(from: frame) where reached[edge.frame]?.slot == edge.slot { drop(edge.frame) }
  }

  private func isOrphaned(_ frame: UInt64) -> Bool {
    var at = frame
    for _ in 0...TreeLayout.maximumDepth {
      guard let node = reached[at] else { return false }
      if node.isOrphan { return true }
      at = node.slot.parent
    }
    return false
  }

  private func sharing(_ frame: UInt64, _ slot: Slot) -> String {
    let names = "the node at \(gpaText(slot.parent << 12)) names \(gpaText(frame << 12))"
    var at = slot.parent
    for _ in 0...TreeLayout.maximumDepth {
      if at == frame { return names + ", which it is reached through: a cycle" }
      guard let node = reached[at] else { break }
      at = node.slot.parent
    }
    return names + ", which the tree already reaches elsewhere: a shared page"
  }
}

extension TreeNode.Mapping {
  fileprivate func comesBefore(_ other: Self) -> Bool {
    if firstGFN != other.firstGFN { return firstGFN < other.firstGFN }
    return firstByte != other.firstByte ? firstByte < other.firstByte : self != other
  }
}

extension FrameRange {
  init(low: UInt64, end: UInt64) {
    self.low = low
    self.end = end
  }

  init(_ mapping: TreeNode.Mapping) {
    low = mapping.firstGFN
    end = mapping.firstGFN + mapping.pageCount
  }
}
