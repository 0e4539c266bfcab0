internal import Analyzer
internal import TraceEvents
internal import TraceFormat

/// How likely a finding rests on an event: a guess that decides what is tried first, and nothing else. Smaller is likelier; 0 must stay.
struct Relevance {
  private let seq: UInt64
  private let mentioned: Set<UInt64>
  private let frames: Set<UInt64>
  private let pages: ProtectedFrames

  init(_ target: MinimizationTarget, _ pages: ProtectedFrames) {
    seq = target.finding.seq
    mentioned = target.mentioned
    var frames: Set<UInt64> = []
    if let gpa = target.finding.gpa { frames.insert(gpa >> 12) }
    if case .race(let first, let second, _) = target.finding.evidence { frames.formUnion([first.gpa >> 12, second.gpa >> 12]) }
    self.frames = frames
    self.pages = pages
  }

  func score(_ kind: EventKind, seq: UInt64, gpa: UInt64, pageCount: UInt64) -> UInt64 {
    if kind == .sessionStart || kind == .sessionEnd || mentioned.contains(seq) { return 0 }
    // What a finding rests on comes before it, mostly.
    let distance = seq <= self.seq ? self.seq - seq : 4 &* min(seq - self.seq, 1 << 50)
    let scaled = (min(distance, 1 << 50) + 1) << 12
    switch kind {
    case .vcpuStart, .vcpuOnline, .vcpuOffline, .entryPointSet, .driverPagesSet, .basePointerSet, .registrationLocked: return max(scaled >> 12, 1)
    case .traceInstall, .traceRemove: return scaled >> (frames.contains { $0 >= gpa >> 12 && $0 - gpa >> 12 < pageCount } ? 8 : 4)
    case .pageContents, .writeTrap, .writeResult, .pageWrite, .guestWrite, .regionAccess:
      if frames.contains(gpa >> 12) { return scaled >> 8 }
      if pages.contains(gpa >> 12) { return scaled >> 4 }
      return kind == .pageWrite || kind == .guestWrite ? scaled << 6 : scaled
    case .console: return scaled << 6
    default: return scaled
    }
  }
}

/// The pages that were ever traced or registered: a rough set, for guesses.
struct ProtectedFrames {
  private var frames: Set<UInt64> = []
  private var ranges: [Range<UInt64>] = []
  /// Beyond that a page counts as any other.
  private static let limit = 1 << 18

  func contains(_ frame: UInt64) -> Bool { frames.contains(frame) || ranges.contains { $0.contains(frame) } }

  mutating func insert(_ gpa: UInt64, count: UInt64) {
    let first = gpa >> 12
    if count <= 16 {
      for index in 0..<count where frames.count < Self.limit { frames.insert(first &+ index) }
    } else if ranges.count < 64, count <= 1 << 40 {
      let range = first..<first + count
      if !ranges.contains(range) { ranges.append(range) }
    }
  }
}

/// Looks a whole trace over before any of it is kept: its digest, and which pages it protects.
struct TraceSurvey: TracePass {
  private(set) var pages = ProtectedFrames()
  private(set) var digest = EventDigest()
  private(set) var count = 0
  private(set) var dataCount = 0

  mutating func consume(_ batch: EventBatch) {
    digest.combine(batch)
    count += batch.count
    batch.withCursor { cursor in
      while cursor.next() {
        dataCount += cursor.dataCount
        switch cursor.kind {
        case .traceInstall, .traceRemove, .driverPagesSet: pages.insert(cursor.gpa, count: cursor.a)
        case .basePointerSet: pages.insert(cursor.gpa, count: 1)
        default: break
        }
      }
    }
  }

  mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {}

  var isDone: Bool { false }
}
