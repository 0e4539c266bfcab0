import SQLite
import Symbols

extension Database {
  /// The names of the addresses that events and findings hold. Not each event is given one: many have the same address.
  func insert(_ symbols: GuestSymbols) throws(DatabaseError) {
    let gpas = "SELECT gpa FROM events UNION SELECT page FROM events UNION SELECT gpa FROM findings UNION SELECT gpa FROM accesses"
    let rips = "SELECT rip FROM events UNION SELECT rip FROM findings UNION SELECT rip FROM accesses"
    try insert(gpas, "gpa") { symbols.place(gpa: $0) }
    try insert(rips, "rip") { symbols.place(rip: $0) }
  }

  /// Those that `addresses` gives and that have a place.
  private func insert(_ addresses: String, _ column: String, _ place: (UInt64) -> SymbolTable.Place?) throws(DatabaseError) {
    let insertion = try Statement(self, "INSERT INTO \(column)_symbols (\(column), symbol, module, offset) VALUES (?, ?, ?, ?)")
    try Statement(self, "SELECT * FROM (\(addresses)) WHERE \(column) IS NOT NULL").each { address throws(DatabaseError) in
      guard let place = place(address) else { return }
      try insertion.run(.integer(address), .text(place.symbol), .text(place.module), .integer(place.offset))
    }
  }
}
