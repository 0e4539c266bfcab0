import TraceFormat

/// The latest blocks of a recording of which only the tail is to be kept, in memory: whole stretches from one keyframe to the next.
struct FlightTail {
  typealias Block = (bytes: [UInt8], prologue: BlockPrologue)

  /// How much is kept.
  enum Limit: Hashable, Sendable {
    /// The file, its header and its end included, takes at most this many bytes.
    case bytes(UInt64)
    /// Nanoseconds: at least so much before the last event.
    case time(UInt64)
  }

  /// Blocks that can be read without those before: a keyframe's, where any came before, and the events from there on.
  private struct Stretch {
    var blocks: [Block] = []
    var size = 0
    var firstTime: UInt64 = 0
    var firstSeq: UInt64 = 0
    var events: UInt64 = 0

    init() {}

    init(_ keyframe: [Block], _ events: [Block]) {
      blocks = keyframe + events
      size = blocks.reduce(0) { $0 + $1.bytes.count }
      guard let first = events.first?.prologue else { return }
      (firstTime, firstSeq) = (first.firstTime, first.firstSeq)
      self.events = events.reduce(0) { $0 + UInt64($1.prologue.count) }
    }
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
  var blocks: [Block] { kept.flatMap(\.blocks) }

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

  mutating func beginStretch(keyframe: [Block]) {
    kept.append(Stretch(keyframe, []))
  }

  /// Takes in a block of events, and lets go of what is beyond the limit.
  mutating func append(_ block: Block) {
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

  // MARK: Less of it

  /// Blocks of events kept.
  var eventBlockCount: Int { kept.reduce(0) { $0 + $1.blocks.count(where: Self.holdsEvents) } }

  private static func holdsEvents(_ block: Block) -> Bool { block.prologue.type == BlockType.events.rawValue }

  /// The last `count` blocks of events, 1 or more. `keyframe` makes of a stretch's first blocks, those that are let go of, the keyframe after them.
  func newest(_ count: Int, keyframe: (_ blocks: ArraySlice<Block>) -> [Block]) -> FlightTail {
    var tail = self
    while tail.kept.count > 1, tail.eventBlockCount - tail.kept[0].blocks.count(where: Self.holdsEvents) >= count { tail.kept.removeFirst() }
    let surplus = tail.eventBlockCount - count
    guard surplus > 0 else { return tail }
    let blocks = tail.kept[0].blocks
    let events = blocks.indices.filter { Self.holdsEvents(blocks[$0]) }
    let first = events[surplus]
    tail.kept[0] = Stretch(keyframe(blocks[..<first]), Array(blocks[first...]))
    return tail
  }

  /// A tail of one block, which holds the last events of this one's last block, and the keyframe before it.
  func replaced(by block: Block, keyframe: [Block]) -> FlightTail {
    var tail = self
    tail.kept = [Stretch(keyframe, [block])]
    return tail
  }

  /// The last stretch up to its last block, and that block.
  var lastBlock: (before: ArraySlice<Block>, block: Block)? {
    guard let blocks = kept.last?.blocks, let last = blocks.last else { return nil }
    return (blocks.dropLast(), last)
  }
}
