public import TraceFormat

/// How far a rendezvous of the stop protocol has come, told from where the vCPUs are and whether the region is in the view.
///
/// The order is that of a rendezvous that keeps the rules; one that breaks them may skip a phase or show an earlier one again.
public enum RendezvousPhase: String, Sendable, CaseIterable {
  /// Nobody is in the mode or on the way there.
  case free
  /// First in, the region not yet in the view: stop signals are sent and acknowledged.
  case stopping
  /// The region is in the view, and nobody has entered yet.
  case mapped
  /// At least one vCPU is in the mode.
  case inMode = "in-mode"
  /// Nobody is in the mode, and the region stays in the view for one that is to enter.
  case handingOver = "handing-over"
  /// The last one is out, and the region still in the view.
  case unmapping
  /// The region is out of the view, and the stopped vCPUs are being resumed.
  case resuming

  public init(_ state: MachineState) {
    func anyone(_ place: MachineState.Place) -> Bool { state.vcpus.contains { $0.place == place } }
    if anyone(.privileged) {
      self = .inMode
    } else if !state.inRendezvous {
      self = .free
    } else if anyone(.leaving) {
      self = state.regionIsMapped ? .unmapping : .resuming
    } else if anyone(.claiming) {
      self = state.regionIsMapped ? .mapped : .stopping
    } else {
      self = state.regionIsMapped ? .handingOver : .resuming
    }
  }
}
