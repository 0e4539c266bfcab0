public import Reports

extension SuiteReport {
  /// The machine's form, which `merging` takes back once it is decoded.
  public var json: JSON {
    let tally = TraceResult.Status.allCases.map { ($0.rawValue, JSON.number(UInt64(count($0)))) }
    return .object([
      ("form", .number(UInt64(form))),
      ("version", .string(version)),
      ("shard", .optional(shard) { .object([("index", .number(UInt64($0.index))), ("count", .number(UInt64($0.count)))]) }),
      ("suiteCount", .number(UInt64(suiteCount))),
      ("suiteDigest", .optional(suiteDigest) { .string($0) }),
      ("seconds", .decimal(seconds)),
      ("tally", .object(tally)),
      ("results", .array(results.map(\.json))),
    ])
  }
}

extension TraceResult {
  fileprivate var json: JSON {
    .object([
      ("trace", .string(trace)),
      ("status", .string(status.rawValue)),
      ("verdict", .optional(verdict) { .string($0) }),
      ("events", .optional(events) { .number($0) }),
      ("seconds", .decimal(seconds)),
      ("message", .optional(message) { .string($0) }),
      ("difference", .array(difference.map { .string($0) })),
    ])
  }
}
