import SQLite
import Timeline
import TraceEvents
import TraceFormat

/// Takes a trace in once: events and the modes of vCPUs go into the database as they come.
struct EventPass: TracePass {
  private let events: EventTable
  private var intervals: LaneIntervals
  private let interval: Statement
  private(set) var count: UInt64 = 0
  /// Of the last event.
  private(set) var time: UInt64 = 0
  private var failure: DatabaseError?

  init(_ database: Database, _ header: TraceHeader, from start: MachineState?) throws(DatabaseError) {
    events = try EventTable(database, header.kinds)
    intervals = LaneIntervals(vcpuCount: header.vcpuCount, from: start)
    interval = try Statement(database, "INSERT INTO intervals (vcpu, mode, from_seq, to_seq, from_ns, to_ns) VALUES (?, ?, ?, ?, ?, ?)")
  }

  var isDone: Bool { failure != nil }

  mutating func consume(_ batch: EventBatch) {
    count += UInt64(batch.count)
    time = batch.timeRange.upperBound
    do throws(DatabaseError) {
      try batch.withCursor { cursor throws(DatabaseError) in
        while cursor.next() {
          try events.insert(cursor)
          try intervals.apply(cursor) { ended throws(DatabaseError) in try Self.insert(ended, interval) }
        }
      }
    } catch { failure = error }
  }

  mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    do throws(DatabaseError) {
      try intervals.noteHole(lastSeq: lastSeq) { ended throws(DatabaseError) in try Self.insert(ended, interval) }
    } catch { failure = failure ?? error }
  }

  /// Nothing more comes; throws what went wrong on the way.
  mutating func finish() throws(DatabaseError) {
    if let failure { throw failure }
    try intervals.finish { ended throws(DatabaseError) in try Self.insert(ended, interval) }
  }

  /// By raw value.
  private static let modes = LaneMode.allCases.map { "\($0)" }

  private static func insert(_ ended: LaneInterval, _ statement: Statement) throws(DatabaseError) {
    try statement.bind(1, UInt64(ended.vcpu))
    try statement.bind(2, modes[Int(ended.mode.rawValue)])
    try statement.bind(3, ended.from.seq)
    try statement.bind(4, ended.through.seq)
    try statement.bind(5, ended.from.time)
    try statement.bind(6, ended.through.time)
    try statement.run()
  }
}
