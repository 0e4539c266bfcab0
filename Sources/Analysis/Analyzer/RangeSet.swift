/// A set of page frame numbers, held as ranges.
///
/// Mappings and traces name ranges of up to 2^40 pages, so nothing is expanded page by page; and up to a million single pages may come in
/// any order, so the sorted ranges are cut into blocks: an insertion moves one block's worth, not the whole set.
struct RangeSet {
  /// A half-open range of frame numbers; never empty.
  struct Span: Hashable {
    var low: UInt64
    var end: UInt64
  }

  private static let blockCapacity = 256

  /// Ascending, disjoint, not touching; no block is empty.
  private var blocks: [[Span]] = []
  /// The first frame of each block.
  private var firsts: [UInt64] = []
  /// No frame from here on was ever in it.
  private var limit: UInt64 = 0

  init() {}

  var isEmpty: Bool { blocks.isEmpty }

  func contains(_ frame: UInt64) -> Bool {
    guard frame < limit, let block = blockIndex(for: frame) else { return false }
    let index = Self.position(in: blocks[block], of: frame)
    return index >= 0 && frame < blocks[block][index].end
  }

  /// The first span that ends after `frame`: it holds the frame, or is the next one.
  func next(from frame: UInt64) -> Span? {
    guard !blocks.isEmpty else { return nil }
    guard let block = blockIndex(for: frame) else { return blocks[0][0] }
    let index = Self.position(in: blocks[block], of: frame)
    if index >= 0, frame < blocks[block][index].end { return blocks[block][index] }
    if index + 1 < blocks[block].count { return blocks[block][index + 1] }
    return block + 1 < blocks.count ? blocks[block + 1][0] : nil
  }

  /// The first frame of the range that is not in the set, nil where all are.
  func firstMissing(from low: UInt64, to end: UInt64) -> UInt64? {
    guard low < end else { return nil }
    guard let span = next(from: low), span.low <= low else { return low }
    return span.end < end ? span.end : nil
  }

  mutating func insert(_ low: UInt64, _ end: UInt64) {
    guard low < end else { return }
    if let span = next(from: low), span.low <= low, span.end >= end { return }
    var merged = Span(low: low, end: end)
    // What the new range meets or touches goes into it.
    while let span = next(from: merged.low == 0 ? 0 : merged.low - 1), span.low <= merged.end {
      merged.low = min(merged.low, span.low)
      merged.end = max(merged.end, span.end)
      removeSpan(startingAt: span.low)
    }
    insertSpan(merged)
  }

  mutating func remove(_ low: UInt64, _ end: UInt64) {
    guard low < end else { return }
    while let span = next(from: low), span.low < end {
      removeSpan(startingAt: span.low)
      if span.low < low { insertSpan(Span(low: span.low, end: low)) }
      if span.end > end { insertSpan(Span(low: end, end: span.end)) }
    }
  }

  mutating func removeAll() {
    blocks = []
    firsts = []
    limit = 0
  }

  // MARK: Blocks

  /// The last block that starts at or before the frame.
  private func blockIndex(for frame: UInt64) -> Int? {
    var low = 0
    var high = firsts.count
    while low < high {
      let middle = (low + high) / 2
      if firsts[middle] <= frame { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : low - 1
  }

  /// The last span that starts at or before the frame, -1 for none.
  private static func position(in block: [Span], of frame: UInt64) -> Int {
    var low = 0
    var high = block.count
    while low < high {
      let middle = (low + high) / 2
      if block[middle].low <= frame { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }

  private mutating func insertSpan(_ span: Span) {
    limit = max(limit, span.end)
    guard !blocks.isEmpty else {
      blocks = [[span]]
      firsts = [span.low]
      return
    }
    let block = blockIndex(for: span.low) ?? 0
    let index = Self.position(in: blocks[block], of: span.low) + 1
    blocks[block].insert(span, at: index)
    firsts[block] = blocks[block][0].low
    guard blocks[block].count > Self.blockCapacity else { return }
    let half = blocks[block].count / 2
    let tail = Array(blocks[block][half...])
    blocks[block].removeSubrange(half...)
    blocks.insert(tail, at: block + 1)
    firsts.insert(tail[0].low, at: block + 1)
  }

  private mutating func removeSpan(startingAt low: UInt64) {
    guard let block = blockIndex(for: low) else { return }
    let index = Self.position(in: blocks[block], of: low)
    guard index >= 0, blocks[block][index].low == low else { return }
    blocks[block].remove(at: index)
    if blocks[block].isEmpty {
      blocks.remove(at: block)
      firsts.remove(at: block)
    } else {
      firsts[block] = blocks[block][0].low
    }
  }
}
