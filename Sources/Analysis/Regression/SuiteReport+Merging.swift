extension SuiteReport {
  /// Why reports do not make one run.
  public struct MergeError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
  }

  /// The report of the whole run whose shards these are, in any order; each with the name that errors call it by.
  ///
  /// Throws where a shard is missing or there twice, where they are not of one run, and where they do not make up the suite exactly.
  public init(merging shards: [(name: String, report: SuiteReport)]) throws(MergeError) {
    guard let first = shards.first else { throw MergeError("no report to merge") }
    for (name, report) in shards {
      guard report.form == Self.currentForm else {
        throw MergeError("\(name): a report of form \(report.form); this pagetape knows form \(Self.currentForm)")
      }
      guard let shard = report.shard else { throw MergeError("\(name): is not the report of a shard (of 'pagetape test --shard I/N')") }
      guard Shard(index: shard.index, count: shard.count) != nil else { throw MergeError("\(name): there is no shard \(shard)") }
      try Self.check(name, report, belongsTo: first)
    }
    var holder: [Int: String] = [:]
    for (name, report) in shards {
      guard let index = report.shard?.index else { continue }
      if let other = holder[index] { throw MergeError("\(other) and \(name) are both shard \(index) of \(first.report.shard?.count ?? 0)") }
      holder[index] = name
    }
    let count = first.report.shard?.count ?? 0
    guard holder.count == count else {
      // The count is a stranger's: it is not counted up to.
      let missing = (1...count).lazy.filter { holder[$0] == nil }.prefix(10).map(String.init)
      throw MergeError(
        "\(count - holder.count) of \(count) shards missing: \(missing.joined(separator: ", "))\(count - holder.count > 10 ? " …" : "")")
    }
    let results = try Self.united(shards, count: count)
    self.init(
      version: first.report.version, shard: nil, suiteCount: first.report.suiteCount, suiteDigest: first.report.suiteDigest,
      seconds: shards.map(\.report.seconds).max() ?? 0, results: results)
  }

  private static func check(_ name: String, _ report: SuiteReport, belongsTo first: (name: String, report: SuiteReport)) throws(MergeError) {
    let other = first.report
    if report.shard?.count != other.shard?.count {
      throw MergeError("\(name) is one of \(report.shard?.count ?? 0) shards, \(first.name) one of \(other.shard?.count ?? 0): they are not of one run")
    }
    if report.version != other.version {
      throw MergeError("\(name) is of pagetape \(report.version), \(first.name) of \(other.version): they are not of one run")
    }
    if report.suiteDigest != other.suiteDigest || report.suiteCount != other.suiteCount {
      throw MergeError(
        "\(name) is of a suite of \(report.suiteCount) (\(report.suiteDigest ?? "-")), \(first.name) of one of \(other.suiteCount) "
          + "(\(other.suiteDigest ?? "-")): other traces, or other arguments")
    }
  }

  /// The results of all shards, each from the only place it can come from.
  private static func united(_ shards: [(name: String, report: SuiteReport)], count: Int) throws(MergeError) -> [TraceResult] {
    let sorted = shards.sorted { ($0.report.shard?.index ?? 0) < ($1.report.shard?.index ?? 0) }
    var holder: [String: String] = [:]
    for (name, report) in sorted {
      for result in report.results {
        if let other = holder[result.trace] { throw MergeError("\(result.trace) is in \(other) and in \(name)") }
        holder[result.trace] = name
      }
    }
    let total = first(sorted).suiteCount
    guard holder.count == total else { throw MergeError("the shards hold \(holder.count) traces, and the suite \(total)") }
    var results: [TraceResult] = []
    for place in 0..<total {
      let (name, report) = sorted[place % count]
      guard place / count < report.results.count else { throw MergeError("\(name) holds \(report.results.count) traces, too few for its shard") }
      results.append(report.results[place / count])
    }
    return results
  }

  private static func first(_ shards: [(name: String, report: SuiteReport)]) -> SuiteReport { shards[0].report }
}
