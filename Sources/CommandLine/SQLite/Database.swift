internal import CSQLite

/// A connection to a database that nobody else uses, by one thread at a time.
@safe public final class Database {
  public let path: String
  let connection: OpaquePointer?

  /// Opens the file, which must be there; one of no bytes is an empty database.
  public init(path: String) throws(DatabaseError) {
    self.path = path
    var connection: OpaquePointer?
    // A path is a path: some builds take names that start with "file:" for something else.
    let name = path.hasPrefix("/") ? path : "./" + path
    // SAFETY: the strings live for the call; a connection is made even where that fails, and closed below.
    let code = unsafe sqlite3_open_v2(name, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
    unsafe self.connection = connection
    guard code == SQLITE_OK else { throw unsafe DatabaseError(path: path, code: code, connection) }
    unsafe sqlite3_extended_result_codes(connection, 1)
  }

  // SAFETY: statements that are still there keep what they need of it.
  deinit { unsafe sqlite3_close_v2(connection) }

  /// Runs statements that take no values; rows that they give are dropped.
  public func run(_ sql: String) throws(DatabaseError) {
    // SAFETY: the string lives for the call.
    let code = unsafe sqlite3_exec(connection, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw unsafe DatabaseError(path: path, code: code, connection) }
  }
}
