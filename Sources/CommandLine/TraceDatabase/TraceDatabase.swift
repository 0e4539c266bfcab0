public import Analyzer
public import SQLite
public import Symbols
import TraceEvents
public import TraceFile
import TraceFormat

/// A trace as an SQLite database: its events, what they add up to, and what was found in them.
public enum TraceDatabase {
  /// Fills the file, which must be there and empty. Reads the whole trace once; what is kept in memory does not grow with it.
  ///
  /// After an error the file holds no database. `name` is what the trace is called, `producer` who writes, `symbols` name addresses.
  public static func write(
    _ reader: TraceReader, _ verdict: Verdict, name: String, producer: String, symbols: GuestSymbols? = nil, to path: String
  ) throws(DatabaseError) {
    let database = try Database(path: path)
    try database.run(Schema.settings)
    try database.run("BEGIN")
    try database.run(Schema.tables)
    try database.insert(reader.header)
    var pass = try EventPass(database, reader.header, from: reader.startOfTail)
    reader.run(&pass)
    try pass.finish()
    try database.insert(reader.damage)
    try database.insert(verdict)
    try database.insert(reader, verdict, name: name, producer: producer, duration: pass.time)
    if let symbols { try database.insert(symbols) }
    try database.run(Schema.indexes)
    try database.run(Schema.stopProtocol)
    try database.run(Schema.views)
    try database.run(Schema.statistics)
    try database.run("COMMIT")
  }
}

extension Database {
  /// The one row of `trace`.
  fileprivate func insert(
    _ reader: TraceReader, _ verdict: Verdict, name: String, producer: String, duration: UInt64
  ) throws(DatabaseError) {
    let header = reader.header
    let statement = try Statement(self, "INSERT INTO trace VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    try statement.run(
      .integer(UInt64(Schema.version)), .text(producer), .text(name), .integer(reader.size), .text("\(header.major).\(header.minor)"),
      .text(verdict.outcome.rawValue), .integer(verdict.isIncomplete ? 0 : 1), .integer(verdict.events), .integer(verdict.lost),
      .null, .null, .integer(duration), .integer(header.startTime == 0 ? nil : header.startTime), .integer(UInt64(header.vcpuCount)),
      .text("\(header.attribution)"), .text(header.writes.rawValue))
    try run("UPDATE trace SET (first_seq, last_seq) = (SELECT min(seq), max(seq) FROM events)")
  }
}
