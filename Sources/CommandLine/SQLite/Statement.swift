internal import CSQLite

/// A prepared statement: its parameters, numbered from 1, are bound, and it is run, again and again.
///
/// What was bound stays bound until it is bound anew.
@safe public final class Statement {
  private let database: Database
  private let handle: OpaquePointer?

  public init(_ database: Database, _ sql: String) throws(DatabaseError) {
    self.database = database
    var handle: OpaquePointer?
    // SAFETY: the string lives for the call.
    let code = unsafe sqlite3_prepare_v3(database.connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
    unsafe self.handle = handle
    guard code == SQLITE_OK else { throw unsafe DatabaseError(path: database.path, code: code, database.connection) }
  }

  deinit { unsafe sqlite3_finalize(handle) }

  public func bind(_ parameter: Int32, _ value: Int64) throws(DatabaseError) { try check(unsafe sqlite3_bind_int64(handle, parameter, value)) }

  /// The same 64 bits: a number of 2^63 or more becomes a negative one.
  public func bind(_ parameter: Int32, _ value: UInt64) throws(DatabaseError) { try bind(parameter, Int64(bitPattern: value)) }

  public func bindNull(_ parameter: Int32) throws(DatabaseError) { try check(unsafe sqlite3_bind_null(handle, parameter)) }

  public func bind(_ parameter: Int32, _ text: String) throws(DatabaseError) {
    let bytes = unsafe text.utf8Span.span.bytes
    // SAFETY: SQLite copies the bytes.
    try check(unsafe bytes.withUnsafeBytes { unsafe pagetape_bind_text(handle, parameter, $0.baseAddress, UInt64($0.count)) })
  }

  public func bind(_ parameter: Int32, blob: [UInt8]) throws(DatabaseError) {
    // SAFETY: SQLite copies the bytes.
    try check(unsafe blob.withUnsafeBytes { unsafe pagetape_bind_blob(handle, parameter, $0.baseAddress, UInt64($0.count)) })
  }

  public func run() throws(DatabaseError) {
    let code = unsafe sqlite3_step(handle)
    // The error of the step is told, not that of the reset, which is the same.
    guard code == SQLITE_DONE || code == SQLITE_ROW else {
      let error = unsafe DatabaseError(path: database.path, code: code, database.connection)
      unsafe sqlite3_reset(handle)
      throw error
    }
    try check(unsafe sqlite3_reset(handle))
  }

  /// Runs it to its end, and gives the 64 bits in the first column of each row; NULL is 0.
  public func each(_ body: (UInt64) throws(DatabaseError) -> Void) throws(DatabaseError) {
    defer { unsafe sqlite3_reset(handle) }
    while true {
      let code = unsafe sqlite3_step(handle)
      guard code != SQLITE_DONE else { return }
      guard code == SQLITE_ROW else { throw unsafe DatabaseError(path: database.path, code: code, database.connection) }
      try body(UInt64(bitPattern: unsafe sqlite3_column_int64(handle, 0)))
    }
  }

  /// Runs it with a blob that nobody copies; the parameter is NULL afterwards.
  public func run(lending blob: RawSpan, to parameter: Int32) throws(DatabaseError) {
    // SAFETY: the bytes are there until the statement was run, and the parameter is bound anew after that.
    try check(unsafe blob.withUnsafeBytes { unsafe pagetape_lend_blob(handle, parameter, $0.baseAddress, UInt64($0.count)) })
    defer { unsafe sqlite3_bind_null(handle, parameter) }
    try run()
  }

  private func check(_ code: Int32) throws(DatabaseError) {
    guard code == SQLITE_OK else { throw unsafe DatabaseError(path: database.path, code: code, database.connection) }
  }
}
