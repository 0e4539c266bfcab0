internal import Analyzer
internal import Symbols

extension StoppedWrites {
  /// In the form for a person so many instructions are told, the first ones.
  private static let instructionsShown = 10

  /// Who tried to write protected memory; nothing where nobody did.
  func lines(_ symbols: GuestSymbols?) -> [String] {
    guard count > 0 else { return [] }
    let shown = byInstruction.prefix(Self.instructionsShown)
    var lines = ["", "Stopped: \(Count.text(count, "write")) to protected memory"]
    for attempts in shown {
      let who = "\(Count.grouped(attempts.count)) by \(symbols.rip(attempts.rip))"
      let first = "event \(attempts.seq), vCPU \(attempts.vcpu), \(attempts.text) at gpa \(symbols.gpa(attempts.gpa))"
      lines += TextStyle.wrap("\(who), \(attempts.count == 1 ? "" : "first ")\(first)", first: "  - ", rest: "    ")
    }
    let more = byInstruction.count - shown.count
    if more > 0 { lines.append("  - and \(isCut ? "more than " : "")\(Count.text(UInt64(more), "more instruction"))") }
    return lines
  }

  func json(_ symbols: GuestSymbols?) -> JSON {
    .object([("count", .number(count)), ("cut", .bool(isCut)), ("instructions", .array(byInstruction.map { $0.json(symbols) }))])
  }
}

extension StoppedWrites.Attempts {
  fileprivate var text: String { action.map(Words.action) ?? "dropped" }

  fileprivate func json(_ symbols: GuestSymbols?) -> JSON {
    .object(
      [("rip", .hex(rip))] + symbols.ripMember(rip) + [("count", .number(count)), ("seq", .number(seq)), ("vcpu", .number(UInt64(vcpu))), ("gpa", .hex(gpa))]
        + symbols.gpaMember(gpa) + [("action", .optional(action) { .string(Words.action($0)) })])
  }
}
