public import TraceEvents
public import TraceFormat

/// The machine right after one event, as far as a trace tells.
public struct MachineSnapshot: Sendable {
  /// The event that was asked for.
  public var seq: UInt64
  /// That event itself; nil where it is missing.
  public var event: Event?
  public var state: MachineState
  public var region: GuestRange
  public var phase: RendezvousPhase
  public var tree: TreeWalk
  /// Events up to `seq` that the state lacks, ascending: what they changed is not shown.
  public var missing: [Range<UInt64>]

  /// `limit` is how many entries of the tree are walked.
  public init(at seq: UInt64, event: Event?, state: MachineState, missing: [Range<UInt64>], header: TraceHeader, limit: Int) {
    self.seq = seq
    self.event = event
    self.state = state
    self.missing = missing
    region = header.region
    phase = RendezvousPhase(state)
    tree = TreeWalk(state, memory: header.memory, limit: limit)
  }

  /// Whether the state is all that the recording's events add up to.
  public var isCertain: Bool { missing.isEmpty && state.lostEvents == 0 }
}
