extension Statement {
  /// Binds NULL for nil.
  public func bind(_ parameter: Int32, _ value: UInt64?) throws(DatabaseError) {
    if let value { try bind(parameter, value) } else { try bindNull(parameter) }
  }

  public func bind(_ parameter: Int32, _ text: String?) throws(DatabaseError) {
    if let text { try bind(parameter, text) } else { try bindNull(parameter) }
  }

  public func bind(_ parameter: Int32, blob: [UInt8]?) throws(DatabaseError) {
    if let blob { try bind(parameter, blob: blob) } else { try bindNull(parameter) }
  }

  /// A value of a row.
  public enum Value: Sendable {
    case null
    case integer(UInt64?)
    case text(String?)
    case blob([UInt8]?)
  }

  /// Runs it with these values, the first one for parameter 1.
  public func run(_ values: Value...) throws(DatabaseError) {
    for (index, value) in values.enumerated() {
      let parameter = Int32(index + 1)
      switch value {
      case .null: try bindNull(parameter)
      case .integer(let value): try bind(parameter, value)
      case .text(let text): try bind(parameter, text)
      case .blob(let bytes): try bind(parameter, blob: bytes)
      }
    }
    try run()
  }
}
