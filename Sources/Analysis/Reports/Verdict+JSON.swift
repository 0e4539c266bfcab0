public import Analyzer
public import Symbols

extension Verdict {
  /// The machine's form of a verdict; absent things are null, addresses are hex strings.
  public var json: JSON { json(nil) }

  /// The same; where there is an allow-list, `expected` says what came of it.
  ///
  /// Where there are symbols, `gpaSymbol` and `ripSymbol` stand behind `gpa` and `rip`, null where an address has no name.
  public func json(_ symbols: GuestSymbols?) -> JSON {
    .object([
      ("verdict", .string(outcome.rawValue)),
      ("events", .number(events)),
      ("lost", .number(lost)),
      ("findings", .array(findings.map { $0.json(symbols) })),
      ("stopped", stopped.json(symbols)),
      ("undecided", .array(undecided.map { .string($0) })),
      ("prediction", .optional(prediction) { bound in
        .object([("tried", .number(UInt64(bound.tried))), ("skipped", .number(UInt64(bound.skipped))), ("window", .number(bound.window))])
      }),
    ] + expectedMembers)
  }
}

extension Finding {
  public var json: JSON { json(nil) }

  public func json(_ symbols: GuestSymbols?) -> JSON {
    let place: [(key: String, value: JSON)] =
      [("gpa", .optional(gpa) { .hex($0) })] + symbols.gpaMember(gpa) + [("rip", .optional(rip) { .hex($0) })] + symbols.ripMember(rip)
    let head: [(key: String, value: JSON)] = [
      ("rule", .string(rule.name)),
      ("severity", .string(rule.severity.rawValue)),
      ("count", .number(count)),
      ("seq", .number(seq)),
      ("vcpu", .optional(vcpu) { .number(UInt64($0)) }),
    ]
    let story: [(key: String, value: JSON)] = [
      ("expected", .string(expected)),
      ("observed", .string(observed)),
      ("because", .array(because.map(\.json))),
      ("also", .array(also.map { .string($0.name) })),
    ]
    return .object(head + place + story + (evidence?.members(symbols) ?? []))
  }
}

extension Finding.Reason {
  fileprivate var json: JSON { .object([("seq", .number(seq)), ("what", .string(what))]) }
}

extension Finding.Evidence {
  fileprivate func members(_ symbols: GuestSymbols?) -> [(key: String, value: JSON)] {
    switch self {
    case .race(let first, let second, let missing): [("accesses", .array([first.json(symbols), second.json(symbols)])), ("missing", .string(missing))]
    case .reordering(let witness):
      [
        ("witness", .object([
          ("rule", .string(witness.rule.name)),
          ("prefix", .number(witness.prefix)),
          ("steps", .array(witness.steps.map(\.json))),
          ("later", .array(witness.later.map(\.json))),
        ]))
      ]
    }
  }
}

extension Finding.Access {
  fileprivate func json(_ symbols: GuestSymbols?) -> JSON {
    let head: [(key: String, value: JSON)] = [
      ("what", .string(what.rawValue)),
      ("seq", .number(seq)),
      ("vcpu", .number(UInt64(vcpu))),
      ("gpa", .hex(gpa)),
    ]
    let rest: [(key: String, value: JSON)] = [
      ("length", .number(length)),
      ("before", .optional(before) { .string(Hex.text($0)) }),
      ("after", .optional(after) { .string(Hex.text($0)) }),
      ("rip", .optional(rip) { .hex($0) }),
    ]
    return .object(head + symbols.gpaMember(gpa) + rest + symbols.ripMember(rip) + [("since", .optional(since) { .number($0) })])
  }
}
