import TraceEvents

/// What the core knows of one vCPU, besides its place in the stop protocol.
struct VCPU: Hashable, Sendable {
  enum Life: Hashable, Sendable {
    case offline
    /// Started, and not yet seen online by its own thread.
    case starting(event: UInt64, rip: UInt64, argument: UInt64)
    case online
    /// Offline for good.
    case gone
  }

  var life = Life.offline
  /// It was told to run, and has not come back.
  var isExecuting = false
  var isHalted = false
  /// It is halted, and what is held for it cannot wake it.
  var isAsleep = false
  /// In integrity mode, or in it when interrupted for the privileged mode.
  var hasIntegrity = false
  /// A hypercall that is yet to be carried out: the vCPU was to be stopped or interrupted first.
  var owed: Hypercall.Request?
  /// Faults only: an alert that is raised too late.
  var lateAlert: Event?
  /// Faults only: the `integrityLeave` that is yet to take effect.
  var lateLeave: Event?
  /// Faults only: requests for traces that are yet to be put on.
  var lateTraces: [Hypercall.Request] = []

  var activity: Activity {
    (isHalted ? Activity.halted : owed == nil ? .running : .inHypercall).inIntegrityMode(hasIntegrity)
  }
}
