/// What became of a suite of stored traces, or of one shard of it.
public struct SuiteReport: Hashable, Sendable, Codable {
  /// The version of the report's form.
  public static let currentForm: UInt32 = 1

  /// One of several parts of a suite that were run apart.
  public struct Shard: Hashable, Sendable, Codable, CustomStringConvertible {
    /// From 1.
    public var index: Int
    public var count: Int

    public init?(index: Int, count: Int) {
      guard count >= 1, (1...count).contains(index) else { return nil }
      self.index = index
      self.count = count
    }

    /// Whether the trace at this place of the suite, from 0, belongs to it: neighbours, which tend to be alike in size, go to different shards.
    public func holds(_ place: Int) -> Bool { place % count == index - 1 }

    public var description: String { "\(index)/\(count)" }
  }

  public var form = Self.currentForm
  /// The version of pagetape that replayed.
  public var version: String
  /// Nil for a whole suite.
  public var shard: Shard?
  /// Traces and lone expectations of the whole suite.
  public var suiteCount: Int
  /// Of a shard: a digest of their names and contents. Shards belong together where it is the same.
  public var suiteDigest: String?
  /// Wall time of the run; of a merged one, of its slowest shard.
  public var seconds: Double
  /// In the order of the suite.
  public var results: [TraceResult]

  public init(version: String, shard: Shard?, suiteCount: Int, suiteDigest: String?, seconds: Double, results: [TraceResult]) {
    self.version = version
    self.shard = shard
    self.suiteCount = suiteCount
    self.suiteDigest = suiteDigest
    self.seconds = seconds
    self.results = results
  }

  public func count(_ status: TraceResult.Status) -> Int { results.count { $0.status == status } }

  /// What the run comes to.
  public enum Outcome: Sendable {
    case passed
    /// Some trace is judged otherwise than expected, or has no counterpart.
    case failed
    /// Something could not be read, and nothing failed.
    case unreadable
    /// Some trace is damaged, and nothing else is wrong.
    case damaged
  }

  public var outcome: Outcome {
    let statuses = Set(results.map(\.status).filter(\.isFailure))
    if statuses.isEmpty { return .passed }
    if !statuses.isSubset(of: [.badExpectation, .ioError, .damaged]) { return .failed }
    return statuses == [.damaged] ? .damaged : .unreadable
  }
}
