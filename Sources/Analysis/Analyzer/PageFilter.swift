/// Which pages protection ever had to do with, a byte a page, so that a write to an ordinary page is dismissed in a few nanoseconds.
///
/// Marks are never taken back: a page that was once traced, named by the tree or registered keeps taking the slow path. That keeps the
/// work of marking bounded by the pages there are, however often ranges come and go.
struct PageFilter {
  private static let chunkShift: UInt64 = 12
  private static let chunkPages = 1 << 12
  /// 2^18 chunks of 2^12 pages: 4 TiB of guest memory. What lies beyond takes the slow path.
  private static let topLimit: UInt64 = 1 << 18
  /// At most 64 MiB of flags, whatever a trace says.
  private static let chunkLimit = 1 << 14
  private static let absent: Int32 = -1
  private static let allMarked: Int32 = -2

  private var top: [Int32] = []
  private var flags: [Bool] = []
  private var everMarked = RangeSet()

  init() {}

  /// Whether the page is or was traced, named by the tree, a node, or a driver page.
  func isMarked(_ frame: UInt64) -> Bool {
    let chunk = frame >> Self.chunkShift
    guard chunk < UInt64(top.count) else { return chunk >= Self.topLimit }
    let index = top[Int(chunk)]
    if index >= 0 { return flags[Int(index) * Self.chunkPages + Int(frame & 0xfff)] }
    return index == Self.allMarked
  }

  mutating func mark(_ low: UInt64, _ end: UInt64) {
    var low = low
    while let start = everMarked.firstMissing(from: low, to: end) {
      let stop = min(end, everMarked.next(from: start)?.low ?? end)
      markNew(start, stop)
      everMarked.insert(start, stop)
      low = stop
    }
  }

  private mutating func markNew(_ low: UInt64, _ end: UInt64) {
    var frame = low
    while frame < end, frame >> Self.chunkShift < Self.topLimit {
      let chunkEnd = (frame >> Self.chunkShift + 1) << Self.chunkShift
      let stop = min(end, chunkEnd)
      if stop - frame == UInt64(Self.chunkPages) {
        setTop(frame >> Self.chunkShift, to: Self.allMarked)
      } else {
        for page in frame..<stop { markOne(page) }
      }
      frame = stop
    }
  }

  private mutating func setTop(_ chunk: UInt64, to value: Int32) {
    if Int(chunk) >= top.count {
      top += [Int32](repeating: Self.absent, count: Int(chunk) + 1 - top.count)
    }
    if value == Self.allMarked, top[Int(chunk)] >= 0 {
      let start = Int(top[Int(chunk)]) * Self.chunkPages
      for at in start..<start + Self.chunkPages { flags[at] = true }
    } else {
      top[Int(chunk)] = value
    }
  }

  private mutating func markOne(_ frame: UInt64) {
    let chunk = frame >> Self.chunkShift
    if chunk >= UInt64(top.count) || top[Int(chunk)] == Self.absent {
      let index = flags.count / Self.chunkPages
      guard index < Self.chunkLimit else {
        setTop(chunk, to: Self.allMarked)
        return
      }
      setTop(chunk, to: Int32(index))
      flags += [Bool](repeating: false, count: Self.chunkPages)
    }
    let index = top[Int(chunk)]
    if index >= 0 { flags[Int(index) * Self.chunkPages + Int(frame & 0xfff)] = true }
  }
}
