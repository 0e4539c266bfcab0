internal import TraceEvents

/// What is so, by the events alone, after the event before the one in hand. Judges read it; only `apply` writes it, after all judges saw the event.
struct Facts: ~Copyable {
  enum Mode: UInt8 {
    /// Executes, or may execute, ordinary guest code.
    case normal
    case stopped
    case privileged
    /// Between a claim and its entry, or between a last exit and its return: executes nothing, counts as stopped.
    case working
    case offline
    /// After a hole in the trace, until an event tells.
    case unknown
  }

  struct VCPU: BitwiseCopyable {
    var mode: Mode = .offline
    var inIntegrityMode = false
    var isHalted = false
    /// Between a `guestEnter` and its `guestExit`.
    var isInGuest = false
    /// Seq of the last `guestEnter`, 0 for none: a `pageWrite` happened somewhere after it.
    var lastEnter: UInt64 = 0
    var lastExit: UInt64 = 0
  }

  var vcpus: VCPUTable<VCPU>
  let memory: [GuestRange]
  let region: GuestRange
  let attribution: WriteAttribution
  var isRegionMapped = false
  /// Not so after a hole in the trace, until an event tells.
  var isRegionKnown = true

  func isGuestMemory(_ gpa: UInt64, count: UInt64 = 1) -> Bool {
    memory.contains { gpa >= $0.start && count <= $0.length && gpa - $0.start <= $0.length - count }
  }
}
