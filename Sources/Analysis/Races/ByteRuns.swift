/// Which bytes of a page: ranges that ascend and do not meet.
struct ByteRuns: Equatable {
  private(set) var ranges: [Range<Int>] = []

  init() {}
  init(_ range: Range<Int>) { if !range.isEmpty { ranges = [range] } }

  /// The whole page.
  static let page = ByteRuns(0..<4096)

  var isEmpty: Bool { ranges.isEmpty }

  /// Behind the last one.
  mutating func append(_ range: Range<Int>) { ranges.append(range) }

  func meets(_ other: ByteRuns) -> Bool { overlap(other) != nil }

  /// The first common bytes.
  func overlap(_ other: ByteRuns) -> Range<Int>? {
    var (left, right) = (0, 0)
    while left < ranges.count, right < other.ranges.count {
      let (mine, theirs) = (ranges[left], other.ranges[right])
      if mine.overlaps(theirs) { return mine.clamped(to: theirs) }
      if mine.upperBound <= theirs.lowerBound { left += 1 } else { right += 1 }
    }
    return nil
  }

  func covers(_ other: ByteRuns) -> Bool {
    var at = 0
    for range in other.ranges {
      while at < ranges.count, ranges[at].upperBound < range.upperBound { at += 1 }
      guard at < ranges.count, ranges[at].lowerBound <= range.lowerBound else { return false }
    }
    return true
  }
}
