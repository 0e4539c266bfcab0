internal import TraceEvents

/// Which event put the write trace on a page that carries one.
struct TraceOrigins {
  private struct Span {
    var low: UInt64
    var end: UInt64
    var seq: UInt64
  }

  private static let limit = 1 << 12

  /// They ascend and do not meet.
  private var spans: [Span] = []
  /// The last installation that was one too many to be kept: what is not known may be this one.
  private var unkept: UInt64 = 0

  /// The installation, 0 where there is none. Where it is not known, a later one: an edge too many hides a race, one too few would invent one.
  func installed(on frame: UInt64) -> UInt64 {
    let index = firstIndex(endingAfter: frame)
    return index < spans.count && spans[index].low <= frame ? max(spans[index].seq, unkept) : unkept
  }

  /// The installations of all pages that carry a trace.
  var seqs: Set<UInt64> { Set(spans.map(\.seq) + [unkept]) }

  mutating func install(_ event: borrowing Event) { replace(event, with: event.seq) }

  mutating func remove(_ event: borrowing Event) { replace(event, with: 0) }

  private mutating func replace(_ event: borrowing Event, with seq: UInt64) {
    let low = event.gpa >> 12
    let end = low + min(event.a, 1 << 52)
    guard low < end else { return }
    let first = firstIndex(endingAfter: low)
    var next = first
    var new: [Span] = []
    while next < spans.count, spans[next].low < end {
      let old = spans[next]
      if old.low < low { new.append(Span(low: old.low, end: low, seq: old.seq)) }
      if old.end > end { new.append(Span(low: end, end: old.end, seq: old.seq)) }
      next += 1
    }
    if seq != 0, spans.count < Self.limit {
      new.insert(Span(low: low, end: end, seq: seq), at: new.first.map { $0.low < low ? 1 : 0 } ?? 0)
    } else if seq != 0 {
      unkept = seq
    }
    spans.replaceSubrange(first..<next, with: new)
  }

  private func firstIndex(endingAfter frame: UInt64) -> Int {
    var (low, high) = (0, spans.count)
    while low < high {
      let middle = (low + high) / 2
      if spans[middle].end <= frame { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
