import CSQLite
import Foundation
import Testing

/// A database as a stranger reads it: through SQLite alone.
@safe final class DatabaseReader {
  enum Value: Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
  }

  struct Failure: Error { var message: String }

  private var connection: OpaquePointer?

  init(_ path: String) throws {
    // SAFETY: the string lives for the call.
    guard unsafe sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { throw Failure(message: "cannot open \(path)") }
  }

  deinit { unsafe sqlite3_close_v2(connection) }

  /// All rows that a query gives.
  func rows(_ sql: String) throws -> [[Value]] {
    var rows: [[Value]] = []
    try each(sql) { rows.append($0) }
    return rows
  }

  func each(_ sql: String, _ body: ([Value]) throws -> Void) throws {
    var statement: OpaquePointer?
    // SAFETY: the strings live for the calls, the statement until it is finalized.
    defer { unsafe sqlite3_finalize(statement) }
    guard unsafe sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK else { throw failure(sql) }
    while true {
      switch unsafe sqlite3_step(statement) {
      case SQLITE_ROW: try body(unsafe (0..<sqlite3_column_count(statement)).map { unsafe Self.value(statement, $0) })
      case SQLITE_DONE: return
      default: throw failure(sql)
      }
    }
  }

  /// The one number that a query gives.
  func number(_ sql: String) throws -> Int64 {
    guard case .integer(let number)? = try rows(sql).first?.first else { throw Failure(message: "no number: \(sql)") }
    return number
  }

  /// Each row as its values, joined by bars, as `sqlite3` prints them.
  func lines(_ sql: String) throws -> [String] {
    try rows(sql).map { row in
      row.map { value in
        switch value {
        case .null: ""
        case .integer(let number): "\(number)"
        case .real(let number): "\(number)"
        case .text(let text): text
        case .blob(let bytes): "\(bytes)"
        }
      }.joined(separator: "|")
    }
  }

  private func failure(_ sql: String) -> Failure { unsafe Failure(message: String(cString: sqlite3_errmsg(connection)) + ": " + sql) }

  @unsafe private static func value(_ statement: OpaquePointer?, _ column: Int32) -> Value {
    // SAFETY: bytes are copied before the next step.
    let count = unsafe Int(sqlite3_column_bytes(statement, column))
    let bytes = unsafe UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, column), count: count)
    switch unsafe sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER: return .integer(unsafe sqlite3_column_int64(statement, column))
    case SQLITE_FLOAT: return .real(unsafe sqlite3_column_double(statement, column))
    case SQLITE_TEXT: return .text(unsafe String(decoding: bytes, as: UTF8.self))
    case SQLITE_BLOB: return .blob(unsafe Array(bytes))
    default: return .null
    }
  }
}
