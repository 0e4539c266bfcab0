/// A broken rule: where it first broke, what was expected and seen there, and why.
public struct Finding: Hashable, Sendable {
  /// An earlier event that makes the finding one.
  public struct Reason: Hashable, Sendable {
    public var seq: UInt64
    public var what: String

    public init(seq: UInt64, what: String) {
      self.seq = seq
      self.what = what
    }
  }

  public var rule: Rule
  /// How often the rule broke; this is the first time.
  public var count: UInt64
  public var seq: UInt64
  /// Nil for the host, or where no one vCPU did it.
  public var vcpu: UInt16?
  public var gpa: UInt64?
  public var rip: UInt64?
  public var expected: String
  public var observed: String
  /// Oldest first.
  public var because: [Reason]
  /// Less specific rules that the same event breaks for the same reason.
  public var also: [Rule]
  /// What a race, or a race foretold, has to show; nil for all other rules.
  public var evidence: Evidence?
}
