public import Analyzer

/// What a stored trace must be judged as: the content of the text file beside it, and what replaying it gives, in one form, so that the two compare.
///
/// Texts in it hold no control characters and no spaces at their ends: what was written and read again is the same.
public struct TraceExpectation: Hashable, Sendable {
  public enum Outcome: String, Sendable, CaseIterable {
    case clean, violated, incomplete
    /// No trace can be found in the file.
    case unreadable
  }

  /// Lines for whoever reads the file; they are kept when it is written anew.
  public var comments: [String] = []
  /// Why the trace is known to be judged otherwise than it should be, nil where it is not: what follows then says how it should be judged.
  public var knownFailure: String?
  public var outcome: Outcome
  /// What the trace's header says of the recording.
  public var recorded: String?
  /// Events judged.
  public var events: UInt64 = 0
  /// Events known to be missing.
  public var lost: UInt64 = 0
  /// Digest of the events, as `info` shows it: whether it is still the same trace.
  public var digest: String?
  /// Of a trace that was made smaller: the digest of what it was made from.
  public var original: String?
  /// What is wrong with the file, by place.
  public var damage: [String] = []
  /// By event, then by rule; a rule has one at most.
  public var findings: [Finding] = []
  /// Breaches that the allow-list beside the trace names, by rule: how many, in how many places.
  public var allowed: [String] = []
  /// What the trace leaves open.
  public var undecided: [String] = []
  /// How far other orders of the events were searched.
  public var search: Verdict.SearchBound?

  /// A broken rule.
  public struct Finding: Hashable, Sendable {
    /// A rule's name; it need not be one that this version knows.
    public var rule: String
    /// How often it broke.
    public var count: UInt64 = 1
    /// Where it broke first.
    public var event: UInt64 = 0
    public var vcpu: UInt16?
    public var gpa: UInt64?
    public var rip: UInt64?
    /// The chain of earlier events, oldest first.
    public var because: [Reason] = []
    /// Of a race foretold: which rule the other order breaks, and how that order differs.
    public var witness: String?
    /// Less specific rules that the same event breaks.
    public var also: [String] = []

    public init(rule: String) { self.rule = rule }
  }

  public struct Reason: Hashable, Sendable {
    public var event: UInt64
    public var what: String

    public init(event: UInt64, what: String) {
      self.event = event
      self.what = what
    }
  }

  public init(_ outcome: Outcome) { self.outcome = outcome }

  /// So many damaged places are listed, and the rest counted.
  static let damageLimit = 100

  /// The longest file that is read as an expectation, in bytes.
  public static let sizeLimit = 1 << 22

  /// `file.tape` has its expectation in `file.expected`; a file of another name in that name with `.expected` behind.
  public static func path(forTrace path: String) -> String {
    stem(path) + ".expected"
  }

  /// In the same way `file.tape` may have an allow-list in `file.allow`.
  public static func path(ofAllowListForTrace path: String) -> String { stem(path) + ".allow" }

  private static func stem(_ path: String) -> String { path.hasSuffix(".tape") ? String(path.dropLast(5)) : path }
}
