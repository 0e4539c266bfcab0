import TraceFile

/// How long a vCPU's thread may take for something. Seconds in which the disk is waited for do not count: however slow it is, nothing hangs.
struct TimeLimit {
  private var left: Int
  private let writer: TraceWriter?
  private var changes: UInt64

  init(seconds: Int, _ writer: TraceWriter?) {
    left = seconds
    self.writer = writer
    changes = writer?.waits.changes ?? 0
  }

  var isOver: Bool { left <= 0 }

  /// Another second has passed.
  mutating func countSecond() {
    let waits = writer?.waits ?? (now: false, changes: 0)
    if !waits.now, waits.changes == changes { left -= 1 }
    changes = waits.changes
  }
}
