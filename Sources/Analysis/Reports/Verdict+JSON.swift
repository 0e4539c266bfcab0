public import Analyzer

extension Verdict {
  /// The machine's form of a verdict; absent things are null, addresses are hex strings.
  public var json: JSON {
    .object([
      ("verdict", .string(outcome.rawValue)),
      ("events", .number(events)),
      ("lost", .number(lost)),
      ("findings", .array(findings.map(\.json))),
      ("undecided", .array(undecided.map { .string($0) })),
      ("prediction", .optional(prediction) { bound in
        .object([("tried", .number(UInt64(bound.tried))), ("skipped", .number(UInt64(bound.skipped))), ("window", .number(bound.window))])
      }),
    ])
  }
}

extension Finding {
  public var json: JSON {
    .object([
      ("rule", .string(rule.name)),
      ("severity", .string(rule.severity.rawValue)),
      ("count", .number(count)),
      ("seq", .number(seq)),
      ("vcpu", .optional(vcpu) { .number(UInt64($0)) }),
      ("gpa", .optional(gpa) { .hex($0) }),
      ("rip", .optional(rip) { .hex($0) }),
      ("expected", .string(expected)),
      ("observed", .string(observed)),
      ("because", .array(because.map(\.json))),
      ("also", .array(also.map { .string($0.rawValue) })),
    ] + (evidence?.members ?? []))
  }
}

extension Finding.Reason {
  fileprivate var json: JSON { .object([("seq", .number(seq)), ("what", .string(what))]) }
}

extension Finding.Evidence {
  fileprivate var members: [(key: String, value: JSON)] {
    switch self {
    case .race(let first, let second, let missing): [("accesses", .array([first.json, second.json])), ("missing", .string(missing))]
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
  fileprivate var json: JSON {
    .object([
      ("what", .string(what.rawValue)),
      ("seq", .number(seq)),
      ("vcpu", .number(UInt64(vcpu))),
      ("gpa", .hex(gpa)),
      ("length", .number(length)),
      ("before", .optional(before) { .string(Hex.text($0)) }),
      ("after", .optional(after) { .string(Hex.text($0)) }),
      ("rip", .optional(rip) { .hex($0) }),
      ("since", .optional(since) { .number($0) }),
    ])
  }
}
