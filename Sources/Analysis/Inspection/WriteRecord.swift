/// One write to the bytes in question, or what else a trace tells of them.
public struct WriteRecord: Hashable, Sendable {
  /// How it is known.
  public enum Evidence: String, Hashable, Sendable, CaseIterable {
    /// The write trapped: address, bytes and instruction are exact.
    case trapped
    /// Every write of the recording trapped; the page had no write trace. As exact.
    case exact
    /// From the dirty ring: the page was written at some point since its vCPU's last `guest-enter`, and these bytes were seen to have changed.
    case page
    /// No write: what was in the page when a write trace was put on it, or when the session began.
    case contents
    /// An attempt on the special region outside the view, or on what nothing backs: it reaches no memory.
    case access
  }

  public enum Outcome: String, Hashable, Sendable, CaseIterable {
    case applied, dropped
    /// Trapped, and what became of it is not told up to the event asked for.
    case undecided
  }

  /// Bytes side by side.
  public struct Piece: Hashable, Sendable {
    public var gpa: UInt64
    /// Where that is known.
    public var before: [UInt8]?
    public var after: [UInt8]
  }

  public var seq: UInt64
  /// Nanoseconds since the session start.
  public var time: UInt64
  public var vcpu: UInt16
  public var evidence: Evidence
  public var outcome = Outcome.applied
  /// Past the instruction that wrote; nil where that is not known.
  public var rip: UInt64?
  /// Of a page-write: the event from which on it may have happened. Nil where that is not known.
  public var since: UInt64?
  /// What of the bytes in question was in memory before and after, as far as it is told.
  public var pieces: [Piece] = []
  /// Of a trapped write and an attempt: what of the bytes in question it was to write.
  public var intended: Piece?
  /// Of a page-write: vCPUs that wrote the same page in an interval that meets this one's, so that any of them may have written these bytes.
  public var others: [UInt16] = []
  /// Of contents: how many times in a row, this one counted, the trace shows the same bytes; the first of them is `since`.
  public var repeats = 1

  /// Whether memory held something else afterwards, or was written at all.
  public var hasLanded: Bool {
    switch evidence {
    case .contents, .access: false
    case .page: true
    case .trapped, .exact: outcome == .applied || pieces.contains { $0.before != nil && $0.before != $0.after }
    }
  }
}
