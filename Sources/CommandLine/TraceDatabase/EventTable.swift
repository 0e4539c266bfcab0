import SQLite
import TraceEvents
import TraceFormat

/// Fills `events`: a statement a kind, of the columns that the kind carries; the others stay NULL.
struct EventTable {
  private struct Insertion {
    let columns: Columns
    let statement: Statement
  }

  /// By number of the kind.
  private var insertions: [Insertion?] = Array(repeating: nil, count: 256)
  private let database: Database

  init(_ database: Database, _ kinds: [TraceHeader.Kind]) throws(DatabaseError) {
    self.database = database
    for kind in kinds { insertions[Int(kind.number)] = Insertion(columns: kind.columns, statement: try Self.statement(database, kind)) }
  }

  private static func statement(_ database: Database, _ kind: TraceHeader.Kind) throws(DatabaseError) -> Statement {
    let operands = kind.columns.names
    let marks = (["?", "?", "?"] + operands.map { _ in "?" }).joined(separator: ", ")
    return try Statement(
      database, "INSERT INTO events (\((["seq", "ns", "vcpu"] + operands).joined(separator: ", ")), kind) VALUES (\(marks), \(kind.number))")
  }

  func insert(_ cursor: borrowing EventCursor) throws(DatabaseError) {
    guard let insertion = insertions[Int(cursor.kind.rawValue)] else { return }
    let (statement, columns) = (insertion.statement, insertion.columns)
    try statement.bind(1, cursor.seq)
    try statement.bind(2, cursor.time)
    if cursor.vcpu == Event.host { try statement.bindNull(3) } else { try statement.bind(3, UInt64(cursor.vcpu)) }
    var next: Int32 = 4
    func bind(_ value: UInt64) throws(DatabaseError) {
      try statement.bind(next, value)
      next += 1
    }
    if columns.contains(.gpa) { try bind(cursor.gpa) }
    if columns.contains(.rip) { try bind(cursor.rip) }
    if columns.contains(.cause) {
      // 0 is no event.
      if cursor.cause == 0 { try statement.bindNull(next) } else { try statement.bind(next, cursor.cause) }
      next += 1
    }
    if columns.contains(.a) { try bind(cursor.a) }
    if columns.contains(.b) { try bind(cursor.b) }
    if columns.contains(.c) { try bind(cursor.c) }
    if columns.contains(.d) { try bind(cursor.d) }
    if columns.contains(.data) { try statement.run(lending: cursor.data, to: next) } else { try statement.run() }
  }
}

extension Columns {
  /// Names of the operands, in the order of their columns.
  var names: [String] {
    let all: [(Columns, String)] = [
      (.gpa, "gpa"), (.rip, "rip"), (.cause, "cause"), (.a, "a"), (.b, "b"), (.c, "c"), (.d, "d"), (.data, "data"),
    ]
    return all.compactMap { contains($0.0) ? $0.1 : nil }
  }
}
