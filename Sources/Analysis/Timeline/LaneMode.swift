/// What a lane of the timeline shows at a moment. The raw values are those in a report.
public enum LaneMode: UInt8, Sendable, CaseIterable {
  /// Not started, or offline for good.
  case offline = 0
  /// In the guest, or about to be, in no elevated mode.
  case normal
  case integrity
  case privileged
  case stopped
  /// On the first-in path before its entry, or on the last-out path after its exit: executes no guest code, and counts as stopped.
  case transit
  case halted
  /// Events are missing, and none has told since.
  case unknown
}
