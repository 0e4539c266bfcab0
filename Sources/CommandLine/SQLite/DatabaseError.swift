internal import CSQLite

/// Why SQLite could not do something, in its own words.
public struct DatabaseError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The database's file.
  public let path: String
  /// SQLite's extended result code, such as 13 for a full disk.
  public let code: Int32
  public let message: String

  public init(path: String, code: Int32, message: String) {
    self.path = path
    self.code = code
    self.message = message
  }

  /// What the connection's last call came to.
  @unsafe init(path: String, code: Int32, _ connection: OpaquePointer?) {
    // SAFETY: the string is copied at once; a connection that could not even be made has none.
    let text = unsafe connection.map { unsafe String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
    self.init(path: path, code: code, message: text)
  }

  public var description: String { "\(path): \(message)" }
}
