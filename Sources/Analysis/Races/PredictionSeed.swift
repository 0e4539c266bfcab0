public import Analyzer

/// Where prediction starts: some events of one vCPU that nothing keeps from happening on the other side of an event of another.
public struct PredictionSeed: Hashable, Sendable {
  public enum Side: Hashable, Sendable {
    /// The block right before the anchor, which is left out.
    case before
    /// The block after the anchor.
    case after
  }

  /// First and last event of the block; it is what `vcpu` did from the one to the other.
  public var first: UInt64
  public var last: UInt64
  public var vcpu: UInt16
  public var anchor: UInt64
  public var side: Side
  /// The block ends in the ack of a stop, not in a write.
  public var isAck: Bool

  /// A stop's ack that could have come after the map that did not wait for it.
  public init(_ order: RaceSuspects.Order) {
    (first, last, vcpu, anchor, side) = (order.early, order.ack, order.vcpu, order.late, .after)
    isAck = true
  }

  /// A write that could have come right before its page's trace was installed, or right after it was removed.
  init(_ one: PageAccess, _ other: PageAccess) {
    let (write, change) = one.changesProtection ? (other, one) : (one, other)
    (first, last, vcpu, anchor) = (write.since ?? write.seq, write.seq, write.vcpu, change.seq)
    side = change.what == .install ? .before : .after
    isAck = false
  }

  /// Whether such a seed may foretell a break of the rule.
  func mayBreak(_ rule: Rule) -> Bool { isAck ? rule.group == "stop" : rule == .treeGapWrite }

  /// The events that a check needs, all of them.
  var window: ClosedRange<UInt64> { min(first, anchor)...max(last, anchor) }
}
