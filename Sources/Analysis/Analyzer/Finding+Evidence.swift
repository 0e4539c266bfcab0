extension Finding {
  /// What there is to show for a race.
  public enum Evidence: Hashable, Sendable {
    /// Two accesses, and what would have ordered them.
    case race(first: Access, second: Access, missing: String)
    /// Events in an order that happens-before allows as well as the one that was recorded: the rule breaks with the last one.
    case reordering(Witness)
  }

  /// One of two accesses that nothing ordered.
  public struct Access: Hashable, Sendable {
    public enum What: String, Hashable, Sendable {
      case read, write
      /// A write that trapped and did not take effect.
      case attempt
      /// A write trace was put on the page.
      case install
      /// It was taken off.
      case remove
    }

    public var what: What
    public var seq: UInt64
    public var vcpu: UInt16
    public var gpa: UInt64
    /// In bytes.
    public var length: UInt64
    /// Bytes of memory from `gpa` on, as far as they are known.
    public var before: [UInt8]?
    public var after: [UInt8]?
    /// Past the instruction, or where the hypercall returns to that changed the page's protection. Nil where only the page is known, not the instruction.
    public var rip: UInt64?
    /// The `guestEnter` that it came after, where it is known no better than that; nil for an exact access.
    public var since: UInt64?

    public init(
      _ what: What, seq: UInt64, vcpu: UInt16, gpa: UInt64, length: UInt64, before: [UInt8]? = nil, after: [UInt8]? = nil, rip: UInt64? = nil,
      since: UInt64? = nil
    ) {
      self.what = what
      self.seq = seq
      self.vcpu = vcpu
      self.gpa = gpa
      self.length = length
      self.before = before
      self.after = after
      self.rip = rip
      self.since = since
    }
  }

  /// A reordering of recorded events that breaks a rule.
  public struct Witness: Hashable, Sendable {
    /// The rule, by the same judges that judge recordings.
    public var rule: Rule
    /// Every event up to this one comes first, as it was recorded.
    public var prefix: UInt64
    /// Then these, in this order.
    public var steps: [Reason]
    /// Events that were recorded before the last of these, and come only after it.
    public var later: [Reason]

    public init(rule: Rule, prefix: UInt64, steps: [Reason], later: [Reason]) {
      self.rule = rule
      self.prefix = prefix
      self.steps = steps
      self.later = later
    }
  }
}

extension Finding {
  /// Of a long witness the first and the last steps are told.
  private static let stepsShown = 24

  /// The first and the last of a witness's steps.
  package static func shown(_ steps: [Reason]) -> [Reason] {
    steps.count <= 2 * stepsShown ? steps : steps.prefix(stepsShown) + steps.suffix(stepsShown)
  }

  /// The two of a race; none for all other findings.
  package var accesses: [Access] { if case .race(let first, let second, _) = evidence { [first, second] } else { [] } }

  /// Events that the because chain and the evidence name.
  package var namedEvents: [UInt64] {
    let chain = because.map(\.seq)
    switch evidence {
    case .race(let first, let second, _): return chain + [first, second].flatMap { [$0.seq, $0.since ?? 0] }
    case .reordering(let witness): return chain + (Self.shown(witness.steps) + Self.shown(witness.later)).map(\.seq)
    case nil: return chain
    }
  }
}
