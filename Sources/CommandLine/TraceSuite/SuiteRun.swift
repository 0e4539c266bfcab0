import Analyzer
import OutputFiles
public import Regression
import TraceFile

/// Replays stored traces, several at a time, and holds each against its expectation.
public struct SuiteRun: Sendable {
  public struct Options: Sendable {
    /// Threads; nil for one on each CPU.
    public var jobs: Int?
    public var shard: SuiteReport.Shard?
    /// Nothing after the first trace that is not as expected, in the order of names, is told or waited for.
    public var failsFast = false
    /// Writes what came as the new expectation. Known failures are left alone as long as they fail.
    public var updates = false
    /// With `updates`: of damaged traces too.
    public var acceptsDamage = false

    public init() {}
  }

  private let entries: [StoredTraces.Entry]
  private let suite: StoredTraces
  private let options: Options

  public init(_ suite: StoredTraces, _ options: Options) {
    self.suite = suite
    self.options = options
    entries = suite.entries.enumerated().filter { options.shard?.holds($0.offset) ?? true }.map(\.element)
  }

  /// How many traces this run is of.
  public var count: Int { entries.count }

  /// Runs all. `tell` is given each result in the order of names, never two at once, as soon as it and all before it are there; when it returns false
  /// the run ends.
  public func run(version: String, tell: @escaping @Sendable (TraceResult) -> Bool) -> SuiteReport {
    let start = ContinuousClock.now
    // Before anything is updated. Only shards are ever held against each other.
    let digest = options.shard.map { _ in suite.digest }
    let progress = SuiteProgress(entries.count, failsFast: options.failsFast, tell)
    let jobs = min(options.jobs ?? WorkerThreads.cpuCount, max(1, entries.count))
    WorkerThreads.run(jobs) {
      while let index = progress.take() {
        let entry = entries[index]
        // A second thread for each trace is worth its start where the trace is long and no other is replayed meanwhile.
        progress.put(judge(entry, readsAhead: jobs == 1 && (entry.traceSize ?? 0) > 1 << 20), at: index)
      }
    }
    let results = zip(entries, progress.results).map { entry, result in
      var result = result ?? TraceResult(trace: entry.trace, status: .notRun)
      // Each shard may be run in another folder.
      if options.shard != nil { result.trace = entry.name }
      return result
    }
    return SuiteReport(
      version: version, shard: options.shard, suiteCount: suite.entries.count, suiteDigest: digest, seconds: (ContinuousClock.now - start) / .seconds(1),
      results: results)
  }
}

extension SuiteRun {
  private func judge(_ entry: StoredTraces.Entry, readsAhead: Bool) -> TraceResult {
    guard entry.traceSize != nil else { return TraceResult(trace: entry.trace, status: .noTrace, message: "\(entry.expectation) has no trace beside it") }
    let start = ContinuousClock.now
    let expected: TraceExpectation?
    let allowList: AllowList?
    do throws(SuiteError) {
      expected = try entry.expectationSize == nil ? nil : TraceExpectation(path: entry.expectation)
      allowList = try entry.allowListSize == nil ? nil : AllowList.beside(trace: entry.trace)
    } catch {
      return TraceResult(trace: entry.trace, status: .badExpectation, message: "\(error)")
    }
    let came: TraceExpectation
    do throws(TraceFileError) { came = try TraceExpectation(replaying: entry.trace, allowing: allowList, readsAhead: readsAhead) } catch {
      return TraceResult(trace: entry.trace, status: .ioError, message: "\(error)")
    }
    var result = TraceResult(trace: entry.trace, expected: expected, came: came)
    if options.updates { update(&result, entry, expected, came) }
    if let stale = staleOriginal(entry, came), !result.status.isFailure {
      result.status = .differs
      result.message = stale
    }
    result.seconds = (ContinuousClock.now - start) / .seconds(1)
    return result
  }

  private func update(_ result: inout TraceResult, _ entry: StoredTraces.Entry, _ expected: TraceExpectation?, _ came: TraceExpectation) {
    guard result.status.isFailure else { return }
    if result.status == .damaged, !options.acceptsDamage {
      result.message = (result.message ?? "") + "; --update takes a damaged trace with --accept-damage only"
      return
    }
    var new = came
    new.comments = expected?.comments ?? []
    do throws(OutputFileError) { try OutputFile.write(new.text, to: entry.expectation, overwrites: true) } catch {
      result.status = .ioError
      result.message = "\(error)"
      return
    }
    result.message = "\(entry.expectation) " + (expected == nil ? "is new" : "is changed")
    if result.difference.isEmpty, let why = expected?.knownFailure { result.difference = ["- known-failure \(why)"] }
    result.status = .updated
  }

  /// A trace that was made smaller is of use as long as it is made from the one that is stored beside it.
  private func staleOriginal(_ entry: StoredTraces.Entry, _ came: TraceExpectation) -> String? {
    guard entry.trace.hasSuffix(".min.tape"), let original = came.original else { return nil }
    let path = entry.trace.dropLast(9) + ".expected"
    guard let digest = try? TraceExpectation(path: String(path))?.digest, digest != original else { return nil }
    return "is made from another trace than the one beside it (of \(original), not \(digest)): minimize that anew"
  }
}
