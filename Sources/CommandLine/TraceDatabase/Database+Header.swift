import SQLite
import TraceEvents
import TraceFile
import TraceFormat

extension Database {
  /// What the trace says of itself, and the words that its events are told in.
  func insert(_ header: TraceHeader) throws(DatabaseError) {
    let properties = try Statement(self, "INSERT INTO properties VALUES (?, ?, ?)")
    for (index, property) in header.properties.enumerated() {
      try properties.run(.integer(UInt64(index + 1)), .text(property.name), .text(property.value))
    }
    let memory = try Statement(self, "INSERT INTO memory VALUES (?, ?, ?)")
    for range in header.memory { try memory.run(.integer(range.start), .integer(range.length), .text("ram")) }
    if header.region.length > 0 { try memory.run(.integer(header.region.start), .integer(header.region.length), .text("region")) }
    try insert(header.kinds)
  }

  /// Kinds of this version by its own names, which queries can rely on; others by those that the trace gives them, unless it takes one of ours.
  private func insert(_ kinds: [TraceHeader.Kind]) throws(DatabaseError) {
    let statement = try Statement(self, "INSERT INTO kinds VALUES (?, ?, ?)")
    for row in EventKind.table {
      let columns = kinds.first { $0.number == row.kind.rawValue }?.columns ?? row.columns
      try statement.run(.integer(UInt64(row.kind.rawValue)), .text(row.name), .text(columns.names.joined(separator: " ")))
    }
    for kind in kinds where EventKind(rawValue: kind.number).row == nil {
      let name = EventKind(name: kind.name) == nil ? kind.name : "kind-\(kind.number)"
      try statement.run(.integer(UInt64(kind.number)), .text(name), .text(kind.columns.names.joined(separator: " ")))
    }
    let values = try Statement(self, "INSERT INTO operand_values VALUES (?, ?, ?, ?)")
    for entry in OperandValues.all {
      for value in entry.values {
        try values.run(.integer(UInt64(entry.kind.rawValue)), .text(entry.operand), .integer(value.number), .text(value.name))
      }
    }
  }

  func insert(_ damage: [DamageReport]) throws(DatabaseError) {
    let statement = try Statement(self, "INSERT INTO damage VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
    for (index, place) in damage.enumerated() {
      let missing = place.missing.flatMap { $0.isEmpty ? nil : $0 }
      try statement.run(
        .integer(UInt64(index + 1)), .text(place.what.rawValue), .integer(place.offset), .integer(place.length),
        .integer(place.frame.map(UInt64.init)), .text(place.expected), .integer(missing?.lowerBound), .integer(missing.map { $0.upperBound - 1 }))
    }
  }
}
