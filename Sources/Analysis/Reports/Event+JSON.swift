public import Symbols
public import TraceEvents

extension Event {
  /// One line of `dump --format json`.
  public var json: JSON { json(nil) }

  /// The same; where there are symbols, `gpaSymbol` and `ripSymbol` stand behind `gpa` and `rip`, null where an address has no name.
  public func json(_ symbols: GuestSymbols?) -> JSON { .object(members(symbols)) }

  /// The operands that the kind carries, by column name; `gpa`, `rip` and digests as hex strings.
  package func members(_ symbols: GuestSymbols?) -> [(key: String, value: JSON)] {
    var members: [(key: String, value: JSON)] = [
      ("seq", .number(seq)), ("time", .number(time)), ("kind", .string(kind.name)),
      ("vcpu", vcpu == Event.host ? .null : .number(UInt64(vcpu))),
    ]
    guard let columns = kind.row?.columns else { return members }
    if columns.contains(.gpa) { members += [("gpa", .hex(gpa))] + symbols.gpaMember(gpa) }
    if columns.contains(.rip) { members += [("rip", .hex(rip))] + symbols.ripMember(rip) }
    if columns.contains(.cause) { members.append(("cause", cause == 0 ? .null : .number(cause))) }
    if columns.contains(.a) { members.append(("a", .exact(a))) }
    if columns.contains(.b) { members.append(("b", .exact(b))) }
    if columns.contains(.c) { members.append(("c", .hex(c))) }
    if columns.contains(.d) { members.append(("d", .exact(d))) }
    if columns.contains(.data) { members.append(("data", .string(Hex.text(data)))) }
    return members
  }
}
