/// The modes of one lane from the first event to the last, as segments that follow each other without a gap.
///
/// Where a trace has more changes than there is room for, neighbours that are short are joined to one that says how the time was shared.
public struct LaneHistory: Sendable {
  public struct Segment: Hashable, Sendable {
    public var start: LanePoint
    /// The mode in which most of the time was spent; the only one where `shares` is nil.
    public var mode: LaneMode
    /// By `LaneMode`: its share of the segment's time, of all together 1.
    public var shares: SIMD8<Float>?
  }

  public private(set) var segments: [Segment] = []

  init() {}

  /// The lane is in this mode from here on.
  mutating func change(to mode: LaneMode, at point: LanePoint) {
    guard let last = segments.last else { return segments.append(Segment(start: point, mode: mode)) }
    guard last.shares != nil || last.mode != mode else { return }
    // One event may change two things: the later one counts.
    if last.start == point, last.shares == nil {
      segments[segments.count - 1].mode = mode
      if segments.count > 1, segments[segments.count - 2].mode == mode, segments[segments.count - 2].shares == nil { segments.removeLast() }
    } else {
      segments.append(Segment(start: point, mode: mode))
    }
  }

  /// Joins segments that take fewer than `grain` events, those that meet one of the `kept` ranges aside.
  ///
  /// The last segment has not ended and stays. At most about two segments are left for each `grain` of events.
  mutating func join(below grain: UInt64, keeping kept: [ClosedRange<UInt64>]) {
    var joined: [Segment] = []
    var mix: Mix?
    var range = kept[...]
    for index in segments.indices.dropLast() {
      let (segment, end) = (segments[index], segments[index + 1].start)
      while let first = range.first, first.upperBound < segment.start.seq { range.removeFirst() }
      let isKept = range.first.map { $0.lowerBound <= end.seq } ?? false
      if isKept || end.seq - segment.start.seq >= grain {
        if let mix { joined.append(mix.segment) }
        mix = nil
        joined.append(segment)
      } else {
        mix = mix ?? Mix(start: segment.start)
        mix?.add(segment, until: end)
        if let full = mix, end.seq - full.start.seq >= grain {
          joined.append(full.segment)
          mix = nil
        }
      }
    }
    if let mix { joined.append(mix.segment) }
    if let last = segments.last { joined.append(last) }
    segments = joined
  }

  /// Segments that become one.
  private struct Mix {
    var start: LanePoint
    private var times = SIMD8<Double>()
    private var events = SIMD8<Double>()
    private var only: LaneMode?
    private var count = 0

    init(start: LanePoint) { self.start = start }

    mutating func add(_ segment: Segment, until end: LanePoint) {
      var share = SIMD8<Double>()
      if let shares = segment.shares {
        share = SIMD8<Double>(shares)
      } else {
        share[Int(segment.mode.rawValue)] = 1
      }
      times += share * Double(end.time - segment.start.time)
      events += share * Double(end.seq - segment.start.seq)
      only = segment.shares == nil && (count == 0 || only == segment.mode) ? segment.mode : nil
      count += 1
    }

    /// Where the clock did not move the events count.
    var segment: Segment {
      if let only { return Segment(start: start, mode: only) }
      let weights = times.sum() > 0 ? times : events
      let shares = SIMD8<Float>(weights / max(weights.sum(), 1))
      var most = 0
      for mode in 1..<8 where shares[mode] > shares[most] { most = mode }
      return Segment(start: start, mode: LaneMode(rawValue: UInt8(most)) ?? .unknown, shares: shares)
    }
  }
}
