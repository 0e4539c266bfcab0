import TraceFormat

/// The latest blocks of a recording of which only the tail is to be kept, in memory: whole stretches from one keyframe to the next.
struct FlightTail {
  /// How much is kept.
  enum Limit: Hashable, Sendable {
    /// The file, its header and its end included, takes at most this many bytes.
    case bytes(UInt64)
    /// Nanoseconds: at least so much before the last event.
    case time(UInt64)
  }

  /// Blocks that can be read without those before: a keyframe's, where any came before, and the events from there on.
  private struct Stretch {
    var blocks: [(bytes: [UInt8], prologue: BlockPrologue)] = []
    var size = 0
    var firstTime: UInt64 = 0
    var firstSeq: UInt64 = 0
    var events: UInt64 = 0
  }

  /// A tail is cut where a stretch begins: the more there are, the nearer to what was asked for.
  private static let stretches: UInt64 = 8

  private let limit: FlightTail.Limit
  private let overhead: (_ blocks: Int) -> Int
  private var kept = [Stretch()]
  private(set) var lastEvent: (seq: UInt64, time: UInt64) = (0, 0)

  /// `overhead` is what header and end take in a file of so many blocks.
  init(_ limit: Limit, overhead: @escaping (_ blocks: Int) -> Int) {
    self.limit = limit
    self.overhead = overhead
  }

  var size: Int { kept.reduce(0) { $0 + $1.size } }
  var blocks: [(bytes: [UInt8], prologue: BlockPrologue)] { kept.flatMap(\.blocks) }

  /// Events before the first one kept, and the time of that one.
  var dropped: (events: UInt64, until: UInt64) { kept[0].firstSeq == 0 ? (0, 0) : (kept[0].firstSeq - 1, kept[0].firstTime) }

  /// Whether the next stretch is to begin.
  var isKeyframeDue: Bool {
    guard let stretch = kept.last, stretch.events > 0 else { return false }
    return switch limit {
    case .bytes(let bytes): UInt64(stretch.size) >= bytes / Self.stretches
    case .time(let time): lastEvent.time - stretch.firstTime >= time / Self.stretches
    }
  }

  mutating func beginStretch(keyframe: [(bytes: [UInt8], prologue: BlockPrologue)]) {
    kept.append(Stretch(blocks: keyframe, size: keyframe.reduce(0) { $0 + $1.bytes.count }))
  }

  /// Takes in a block of events, and lets go of what is beyond the limit.
  mutating func append(_ block: (bytes: [UInt8], prologue: BlockPrologue)) {
    let last = kept.count - 1
    if kept[last].events == 0 { (kept[last].firstSeq, kept[last].firstTime) = (block.prologue.firstSeq, block.prologue.firstTime) }
    kept[last].blocks.append(block)
    kept[last].size += block.bytes.count
    kept[last].events += UInt64(block.prologue.count)
    lastEvent = (block.prologue.firstSeq + UInt64(block.prologue.count) - 1, block.prologue.lastTime)
    while kept.count > 1, isFirstBeyondLimit { kept.removeFirst() }
  }

  private var isFirstBeyondLimit: Bool {
    switch limit {
    case .bytes(let bytes): UInt64(size + overhead(kept.reduce(2) { $0 + $1.blocks.count })) > bytes
    case .time(let time): kept[1].events > 0 && lastEvent.time - kept[1].firstTime >= time
    }
  }
}
