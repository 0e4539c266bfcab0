import TraceFormat

/// The latest blocks of a recording of which only the tail is to be kept, in memory. What was let go of before them is a state, which a keyframe holds.
struct FlightTail {
  typealias Block = (bytes: [UInt8], prologue: BlockPrologue)

  /// How much is kept.
  enum Limit: Hashable, Sendable {
    /// The file, its header and its end included, takes at most this many bytes, unless the keyframe and one block take more.
    case bytes(UInt64)
    /// Nanoseconds: at least so much before the last event.
    case time(UInt64)
  }

  /// A part of a limit of bytes that is left for keyframes between the blocks.
  private static let shareForKeyframes: UInt64 = 16
  /// How much of such a limit may be let go of before the keyframe's size is measured again.
  private static let shareToMeasure: UInt64 = 8

  private let limit: FlightTail.Limit
  private let overhead: (_ blocks: Int) -> Int
  private(set) var blocks: [Block] = []
  private(set) var lastEvent: (seq: UInt64, time: UInt64) = (0, 0)
  /// The keyframe before the first block, as it was when it was measured last; nothing while all blocks are kept.
  private(set) var keyframe: [Block] = []
  private var eventSize = 0
  private var sizeLetGo: UInt64 = 0

  /// `overhead` is what header and end take in a file of so many blocks.
  init(_ limit: Limit, overhead: @escaping (_ blocks: Int) -> Int) {
    self.limit = limit
    self.overhead = overhead
  }

  var size: Int { eventSize + keyframeSize }
  var keyframeSize: Int { keyframe.reduce(0) { $0 + $1.bytes.count } }

  /// Events before the first one kept, and the time of that one.
  var dropped: (events: UInt64, until: UInt64) { blocks.first.map { ($0.prologue.firstSeq - 1, $0.prologue.firstTime) } ?? (0, 0) }

  /// Takes in a block of events.
  mutating func append(_ block: Block) {
    blocks.append(block)
    eventSize += block.bytes.count
    lastEvent = (block.prologue.firstSeq + UInt64(block.prologue.count) - 1, block.prologue.lastTime)
  }

  /// Whether the first block is to go.
  var isFirstBeyondLimit: Bool {
    guard blocks.count > 1 else { return false }
    switch limit {
    case .bytes(let bytes): return takes > bytes - bytes / Self.shareForKeyframes
    case .time(let time): return lastEvent.time - blocks[1].prologue.firstTime >= time
    }
  }

  /// Bytes of the file.
  private var takes: UInt64 { UInt64(size + overhead(blocks.count + keyframe.count + 1)) }

  /// Bytes that keyframes between the blocks may take.
  var spare: Int {
    guard case .bytes(let bytes) = limit else { return .max }
    return takes < bytes ? Int(clamping: bytes - takes) : 0
  }

  mutating func removeFirst() -> Block {
    let block = blocks.removeFirst()
    eventSize -= block.bytes.count
    sizeLetGo += UInt64(block.bytes.count)
    return block
  }

  /// Whether the size of the keyframe matters, and is not known any more.
  var isMeasureDue: Bool {
    guard case .bytes(let bytes) = limit else { return false }
    return keyframe.isEmpty || sizeLetGo >= bytes / Self.shareToMeasure
  }

  /// Takes in the keyframe of all that was let go of.
  mutating func measure(keyframe: [Block]) {
    self.keyframe = keyframe
    sizeLetGo = 0
  }

  /// These blocks and this keyframe in place of its own.
  func replaced(by blocks: [Block], keyframe: [Block]) -> FlightTail {
    var tail = self
    tail.blocks = blocks
    tail.keyframe = keyframe
    tail.eventSize = blocks.reduce(0) { $0 + $1.bytes.count }
    return tail
  }
}
