/// Which events a timeline is to show one by one, whatever has to be joined elsewhere.
public struct EventWatch: Sendable {
  /// Events of which there is something to say, ascending.
  public let named: [UInt64]
  /// Ranges of events that are kept as values: the named ones and their neighbours.
  let shown: [ClosedRange<UInt64>]
  /// Ranges within which nothing is joined.
  let exact: [ClosedRange<UInt64>]

  private static let namedLimit = 4096
  /// Neighbours of a centre that are shown, and events around any named one that are exact.
  private static let (before, after, around): (UInt64, UInt64, UInt64) = (16, 8, 512)

  /// `centres` are shown with their neighbours, `others` by themselves.
  public init(centres: [UInt64] = [], others: [UInt64] = []) {
    named = Array(Set(centres + others).sorted().prefix(Self.namedLimit))
    let centres = Set(centres).sorted().prefix(Self.namedLimit)
    shown = Self.union(centres.map { Self.range($0, Self.before, Self.after) } + named.map { $0...$0 })
    exact = Self.union(named.map { Self.range($0, Self.around, Self.around) })
  }

  private static func range(_ seq: UInt64, _ before: UInt64, _ after: UInt64) -> ClosedRange<UInt64> {
    (seq > before ? seq - before : 0)...(seq < .max - after ? seq + after : .max)
  }

  /// The same numbers as ranges that ascend and lie apart.
  private static func union(_ ranges: [ClosedRange<UInt64>]) -> [ClosedRange<UInt64>] {
    var joined: [ClosedRange<UInt64>] = []
    for range in ranges.sorted(by: { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }) {
      if let last = joined.last, range.lowerBound <= last.upperBound {
        joined[joined.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    return joined
  }
}
