public import Analyzer

extension Verdict {
  /// In the form for a person so many entries of an allow-list are told of each sort.
  private static let entriesShown = 20

  /// What an allow-list expects: what came of it, and what did not.
  var expectedLines: [String] {
    guard let tally, let list = tally.allowList else { return [] }
    var lines: [String] = []
    let expected = tally.expected
    if !expected.isEmpty { lines += ["", "Expected by \(list.name):"] + expected.map { "  - \($0.text)" } }
    let stale = tally.staleEntries
    if !stale.isEmpty { lines += ["", "Stale in \(list.name), naming nothing that happened:"] + Self.told(stale.map { "line \($0.line): \($0.text)" }) }
    let unresolved = tally.unresolvedEntries
    if !unresolved.isEmpty {
      lines += ["", "Unknown names in \(list.name), which may be for another guest:"]
      lines += Self.told(unresolved.map { "line \($0.line): \($0.unresolved.joined(separator: ", "))" })
    }
    return lines
  }

  private static func told(_ entries: [String]) -> [String] {
    let more = entries.count - entriesShown
    return entries.prefix(entriesShown).map { "  - \($0)" } + (more > 0 ? ["  - and \(more) more"] : [])
  }

  /// A member of a verdict, and only where there is an allow-list.
  var expectedMembers: [(key: String, value: JSON)] {
    guard let tally, let list = tally.allowList else { return [] }
    let breaches = tally.expected.map { expected in
      JSON.object([
        ("rule", .string(expected.rule.name)), ("count", .number(expected.times)), ("places", .number(expected.places)), ("placesCut", .bool(expected.isCut)),
      ])
    }
    let members: [(key: String, value: JSON)] = [
      ("list", .string(list.name)),
      ("breaches", .array(breaches)),
      ("stale", .array(tally.staleEntries.map { .object([("line", .number(UInt64($0.line))), ("entry", .string($0.text))]) })),
      ("unknown", .array(tally.unresolvedEntries.map { entry in
        .object([("line", .number(UInt64(entry.line))), ("entry", .string(entry.text)), ("names", .array(entry.unresolved.map { .string($0) }))])
      })),
    ]
    return [("expected", .object(members))]
  }
}

extension BreachTally.Expected {
  /// `312 of tree/protected-write in 9 places`.
  public var text: String {
    let spread = isCut ? "more than \(Count.text(places, "place"))" : Count.text(places, "place")
    return "\(Count.grouped(times)) of \(rule.name) in \(spread)"
  }
}
