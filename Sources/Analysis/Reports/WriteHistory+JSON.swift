public import Inspection
public import Symbols
public import TraceEvents

extension WriteHistory {
  /// The machine's form: what is absent or not known is null, addresses and bytes are hex strings, events are named by number. Where there are
  /// symbols, each address has its name, or null, behind it.
  public func json(attribution: WriteAttribution, symbols: GuestSymbols? = nil) -> JSON {
    let doubts = doubts(attribution)
    return .object([("address", .hex(bytes.start))] + symbols.gpaMember(bytes.start, "addressSymbol") + [
      ("length", .number(bytes.length)),
      ("at", .number(last)),
      ("writer", .optional(writer) { $0.json(symbols) }),
      ("certain", .bool(doubts.isEmpty)),
      ("doubts", .array(doubts.map { .string($0.words) })),
      ("writes", .array(records.map { $0.json(symbols) })),
      ("later", .array(later.map { $0.json(symbols) })),
      ("total", isWhole ? .number(total) : .null),
      ("unchanged", .number(unchanged)),
      ("whole", .bool(isWhole)),
      ("missing", .array(holes.map { .object([("first", .number($0.lowerBound)), ("last", .number($0.upperBound - 1))]) })),
    ])
  }
}

extension WriteRecord {
  func json(_ symbols: GuestSymbols?) -> JSON {
    .object([
      ("seq", .number(seq)), ("time", .number(time)), ("vcpu", vcpu == Event.host ? .null : .number(UInt64(vcpu))),
      ("evidence", .string(evidence.rawValue)), ("outcome", .string(outcome.rawValue)), ("landed", .bool(hasLanded)),
      ("rip", .optional(rip) { .hex($0) }),
    ] + symbols.ripMember(rip) + [
      ("since", .optional(since) { .number($0) }),
      ("bytes", .array(pieces.map { $0.json(symbols) })), ("intended", .optional(intended) { $0.json(symbols) }),
      ("others", .array(others.map { $0 == Event.host ? .null : .number(UInt64($0)) })), ("repeats", .number(UInt64(repeats))),
    ])
  }
}

extension WriteRecord.Piece {
  func json(_ symbols: GuestSymbols?) -> JSON {
    .object([("gpa", .hex(gpa))] + symbols.gpaMember(gpa) + [("before", .optional(before) { .string(Hex.text($0)) }), ("after", .string(Hex.text(after)))])
  }
}
