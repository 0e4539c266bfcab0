internal import TraceEvents

extension StopJudge {
  /// Where a vCPU stands in the protocol.
  enum Place: UInt8 {
    case offline
    /// Executes, or may at any moment execute, ordinary guest code.
    case outside
    case stopped
    /// Claimed first-in and has not entered yet: counts as stopped.
    case claiming
    case inMode
    /// Left last and is undoing the rendezvous: counts as stopped.
    case leaving
    /// After a hole, until an event tells.
    case unknown
  }

  /// What a vCPU was doing when it was stopped or interrupted, and must go on doing.
  struct Saved: BitwiseCopyable {
    /// The event that says so; 0 where nothing is known.
    var seq: UInt64 = 0
    var activity: UInt64 = 0
    var digest: UInt64 = 0
    var rip: UInt64 = 0
    /// The registers are known too (not of a vCPU that was born stopped).
    var hasRegisters = false
    /// What the events before say by themselves, for comparison with what the recorder says.
    var ownActivity: UInt64 = 0
    var knowsOwn = false

    /// Whether a return is to just that, as far as anything is known.
    @inline(__always)
    func agrees(with account: Account) -> Bool {
      if seq == 0 { return true }
      return account.activity == activity && (!knowsOwn || account.activity == ownActivity)
        && (!hasRegisters || (account.digest == digest && account.rip == rip))
    }
  }

  /// Where a vCPU is, as the recorder says where it was stopped and where it goes on.
  struct Account: BitwiseCopyable {
    var activity: UInt64
    var digest: UInt64
    var rip: UInt64
  }

  struct VCPU: BitwiseCopyable {
    var place = Place.offline
    var isInGuest = false
    /// Its place when it last entered the guest: what it executed since, it executed there.
    var enteredFrom = Place.unknown
    var isHalted = false
    var inIntegrityMode = false
    var wasBornStopped = false
    /// In the stop state since it left the mode with others still in it.
    var leftNotLast = false
    /// Left last, and the mode is free again, but it has not returned yet.
    var owesReturn = false
    /// Returned from a stop or the mode, and has not executed since.
    var hasJustReturned = false
    /// The resume on its way was sent before its rendezvous' last exit.
    var resumeIsPremature = false
    /// What is on its way to it is known: false from a hole until an event tells.
    var knowsSignals = true
    var knowsLatch = true
    var knowsActivity = true
    /// Breaks told of it in this rendezvous, each once.
    var toldExposed = false
    var toldUnstopped = false
    var toldRan = false
    /// A break told in this rendezvous that explains what this vCPU breaks next.
    var root: Rule?

    /// The event that put it in its place.
    var since: UInt64 = 0
    var onlineSince: UInt64 = 0
    /// While it is offline: the `vcpuStart` that named it, 0 for none.
    var started: UInt64 = 0
    var lastEnter: UInt64 = 0
    var lastExit: UInt64 = 0
    var haltedSince: UInt64 = 0
    /// A hypercall whose result is owed; 0 for none.
    var hypercall: UInt64 = 0

    /// The stop signal on its way, 0 for none, and its rendezvous.
    var stop: UInt64 = 0
    var stopNumber: UInt64 = 0
    /// The rendezvous that put it in the stop state.
    var stoppedBy: UInt64 = 0
    var resume: UInt64 = 0
    var resumeNumber: UInt64 = 0
    /// Latched interrupts for the mode that no entry served yet: the oldest and the newest, 0 for none.
    var latched: UInt64 = 0
    var latchedLast: UInt64 = 0
    var saved = Saved()

    /// What it is doing, by the events alone.
    var activity: UInt64 {
      @inline(__always) get {
        let base = isHalted ? Activity.halted : hypercall != 0 ? Activity.inHypercall : .running
        return base.inIntegrityMode(inIntegrityMode).rawValue
      }
    }

    /// Executes nothing until it is let go or enters the mode.
    var isHeld: Bool { place == .stopped || place == .claiming || place == .leaving }
  }

  /// The rendezvous under way.
  struct Rendezvous: BitwiseCopyable {
    enum Phase: UInt8 {
      case free
      /// Claimed, nobody has entered yet.
      case claimed
      case entered
      /// The last one left; the region and the stopped are being let go.
      case leaving
      /// Nobody is in, the region stays mapped for one whose interrupt is latched.
      case handedOver
      case unknown
    }

    var phase = Phase.free
    var number: UInt64 = 0
    var claimant = -1
    var claim: UInt64 = 0
    var map: UInt64 = 0
    var unmap: UInt64 = 0
    var firstEntry: UInt64 = 0
    var lastExit: UInt64 = 0
    /// vCPUs in the mode, as far as is known.
    var inMode = 0
    /// A break that explains what the whole rendezvous breaks next.
    var root: Rule?
  }

  enum View: UInt8 {
    case unmapped, mapped, unknown
  }
}

extension EventView {
  /// Of an event that says where its vCPU was stopped, or where it goes on.
  var account: StopJudge.Account { StopJudge.Account(activity: a, digest: c, rip: rip) }
}
