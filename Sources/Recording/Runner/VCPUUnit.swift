import KVM

/// A vCPU of a session, with what its thread and the others need to know of it.
@safe final class VCPUUnit: @unchecked Sendable {
  /// That kicks find a vCPU at one instruction again and again: since when, how many single steps led nowhere, and how much time they took.
  struct Still {
    var rip: UInt64
    var since: UInt64
    var steps = 0
    var time: UInt64 = 0
  }

  let number: Int
  var vcpu: VCPU
  /// What the thread waits on in the host, under the session's lock.
  let changed = Condition()
  /// Set before any thread runs.
  var thread: VCPUThread?

  // Of its own thread alone.
  var ring: DirtyRing?
  var harvest: PageHarvest
  var diff = DiffBuffer()
  /// Where it was when a kick last took it out without anybody else's business, and how much it had written; nil since it went in.
  var lastKick: (rip: UInt64, written: Int)?
  /// Searches for a loop that waits by writing that found none since it went in, and kicks to let pass before the next one.
  var vainSearches = 0
  var kicksToSkip = 0
  /// Where it was when it last trapped, with a write that changed nothing, and how often in a row; nil since it wrote anything else.
  var lastTrap: (place: SpinPlace, count: Int)?
  /// The instruction at which kicks found it; nil where it has left it.
  var still: Still?
  /// When its turn began, in a serial schedule.
  var turnSince: UInt64 = 0
  /// How often it wrote depends on when it was taken out of a loop.
  var hidesCounts = false
  /// Its last exit took it out of a loop that waits for another vCPU.
  var spins = false
  /// Its ring overflowed since its writes were last told.
  var hasLostWrites = false

  /// It stopped before the instruction at a breakpoint, and is to go past it.
  var isAtBreakpoint = false
  /// Where system calls that an emulating host does not end come out: the guest's page-fault handler, once there is one.
  var faultHandler: UInt64?
  /// Where a frame that cannot be pushed comes out on such a host; nil where none is watched for.
  var doubleFaultHandler: UInt64?
  /// Where its stack was when it was last looked at.
  var checkedStack: StackPlace?

  // Guarded by the session's lock.
  /// Since which look of `Machine.look` only another vCPU can make it run, and at which this was last seen; nil where it runs.
  var rest: (since: Int, seen: Int)?
  var isWaiting = false
  var isFinished = false
  /// It was kicked since it last went into the guest: what it does next may be something else than to run on.
  var attention = false
  /// Exits in a row that said "ring full" and had nothing in it: after an overflow that KVM does not recover from.
  var emptyFullExits = 0
  /// The last exit was a store that may have further parts.
  var mayHaveFurtherParts = false
  /// Its last exit was a trapped write that nothing but running on need follow.
  var goesOn = false
  /// How many writes had been done on traced pages when it went into the guest.
  var entryMark = 0
  /// What the privileged mode interrupted.
  var saved: SavedState?
  /// An interrupt that is delivered by hand when the vCPU goes into the guest, and the one that the privileged mode came before.
  var pendingVector: UInt8?
  var savedVector: UInt8?

  init(_ vcpu: consuming VCPU, pageCount: Int) {
    number = vcpu.id
    ring = vcpu.dirtyRing
    harvest = PageHarvest(pageCount: pageCount)
    self.vcpu = vcpu
  }

  /// Whether an ordinary interrupt can be injected now.
  var canTakeInterrupt: Bool { vcpu.canTakeInterrupt && pendingVector == nil }
}
