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
    ])
  }
}

extension Finding {
  public var json: JSON {
    .object([
      ("rule", .string(rule.rawValue)),
      ("severity", .string(rule.severity.rawValue)),
      ("count", .number(count)),
      ("seq", .number(seq)),
      ("vcpu", .optional(vcpu) { .number(UInt64($0)) }),
      ("gpa", .optional(gpa) { .hex($0) }),
      ("rip", .optional(rip) { .hex($0) }),
      ("expected", .string(expected)),
      ("observed", .string(observed)),
      ("because", .array(because.map { .object([("seq", .number($0.seq)), ("what", .string($0.what))]) })),
      ("also", .array(also.map { .string($0.rawValue) })),
    ])
  }
}
