internal import Analyzer
public import Minimization

extension MinimizedTrace {
  private var effort: String { "\(Count.text(UInt64(tests), "part")) judged" }

  /// What was made of what, for a person. `size` is the file's, in bytes.
  public func text(name: String, size: UInt64, seconds: Double) -> String {
    let counts = "\(Count.grouped(UInt64(events.count))) of \(Count.text(UInt64(originalCount), "event"))"
    let same = "shows \(finding.rule.name) at event \(finding.seq), which was \(original.seq)"
    let before = earlier.map { ", and breaks it at \($0) before" } ?? ""
    return "\(name): \(counts), \(Count.bytes(size)), \(Count.decimal(seconds)) s, \(effort); \(same)\(before)\n"
  }

  public func json(size: UInt64, seconds: Double) -> JSON {
    .object([
      ("events", .number(UInt64(events.count))),
      ("originalEvents", .number(UInt64(originalCount))),
      ("size", .number(size)),
      ("seconds", .decimal(seconds)),
      ("tests", .number(UInt64(tests))),
      ("rule", .string(finding.rule.name)),
      ("seq", .number(finding.seq)),
      ("originalSeq", .number(original.seq)),
      ("earlierSeq", earlier.map { .number($0) } ?? .null),
    ])
  }
}
