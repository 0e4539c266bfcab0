/// What happened: the vocabulary that a recorder writes and an analyzer reads.
///
/// The raw value is the number in the file and never changes meaning; new kinds take new numbers, and a reader skips the ones it
/// does not know. `Columns` says which operands a kind carries; what each operand means is stated here, kind by kind.
/// "Seq" is the global sequence number of an event, 1 for the first; `cause` names an earlier event that this one waited for or
/// answers, 0 for none.
@frozen public struct EventKind: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  // By hand, so that a switch over kinds in another module is a jump and no call.
  @inlinable public static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }

  // MARK: Session

  /// The recording began. `a` vCPU count. On `Event.host`.
  @inlinable public static var sessionStart: EventKind { EventKind(rawValue: 1) }
  /// The recording ended by itself; nothing follows. `a` `EndReason`, `data` UTF-8 detail (may be empty). On `Event.host`.
  @inlinable public static var sessionEnd: EventKind { EventKind(rawValue: 2) }
  /// Events are missing here. `a` how many (0 where unknown), `b` `LossCause`, `data` UTF-8 detail.
  @inlinable public static var eventsLost: EventKind { EventKind(rawValue: 3) }
  /// Text that the guest printed through its console hypercall. `data` bytes as sent.
  @inlinable public static var console: EventKind { EventKind(rawValue: 4) }

  // MARK: vCPU life

  /// A vCPU, or the host, started another. vCPU = the starter, `a` the target, `rip` where it starts, `cause` the hypercall (0: the host).
  @inlinable public static var vcpuStart: EventKind { EventKind(rawValue: 8) }
  /// The started vCPU is online; its first event. `a` 0 runs, 1 born stopped; `b` the rendezvous it is born into (0 none); `cause` the `vcpuStart`.
  @inlinable public static var vcpuOnline: EventKind { EventKind(rawValue: 9) }
  /// The vCPU went offline for good. `b` the rendezvous whose pending stop signal this answers (0 none), `cause` that `stopSend` or 0.
  @inlinable public static var vcpuOffline: EventKind { EventKind(rawValue: 10) }
  /// The vCPU halts until an interrupt. `rip` after the halt.
  @inlinable public static var vcpuHalt: EventKind { EventKind(rawValue: 11) }
  /// A halted vCPU goes on. `cause` the `interruptRaise` that woke it.
  @inlinable public static var vcpuUnhalt: EventKind { EventKind(rawValue: 12) }

  // MARK: Guest execution

  /// The vCPU starts to execute guest code. `rip` of the first instruction.
  @inlinable public static var guestEnter: EventKind { EventKind(rawValue: 16) }
  /// The vCPU stopped executing guest code (VM exit, complete: the next `guestEnter` goes on at `rip`). `a` `GuestExitReason`.
  @inlinable public static var guestExit: EventKind { EventKind(rawValue: 17) }

  // MARK: Guest memory

  /// A write to a traced page trapped, before any effect. `gpa`, `rip` past the instruction, `a` `WriteFlags`, `data` the 1 to 8 bytes to be written.
  @inlinable public static var writeTrap: EventKind { EventKind(rawValue: 20) }
  /// What became of a trapped write. `gpa`, `cause` the `writeTrap`, `a` `WriteOutcome`, `data` the bytes in memory before, then the bytes
  /// in memory after (observed, not assumed): twice the length of the trap's data.
  @inlinable public static var writeResult: EventKind { EventKind(rawValue: 21) }
  /// The vCPU wrote this untraced page since its last `guestEnter`. `gpa` of the page, `a` how many writes the host counted (at least 1, an upper
  /// bound of knowledge, see the header's attribution), `data` what changed in the page since it was last seen: `PageDiff`.
  @inlinable public static var pageWrite: EventKind { EventKind(rawValue: 22) }
  /// What is in this page now. `gpa` of the page, `data` 4,096 bytes. Recorded when a write trace is installed on it,
  /// and at session start for what the loader put in.
  @inlinable public static var pageContents: EventKind { EventKind(rawValue: 23) }
  /// A vCPU touched the special region while it was not in the view. `gpa`, `rip`, `a` `AccessKind`, `data` the bytes of a write.
  @inlinable public static var regionAccess: EventKind { EventKind(rawValue: 24) }
  /// A vCPU touched guest-physical memory that nothing backs. As `regionAccess`.
  @inlinable public static var unmappedAccess: EventKind { EventKind(rawValue: 25) }
  /// The vCPU wrote to a page without a write trace, in a recording where every write traps (`WriteMode.exact`). `gpa`, `rip` past the instruction,
  /// `a` `WriteFlags`, `data` the bytes in memory before, then the bytes in memory after: twice the 1 to 8 bytes written.
  @inlinable public static var guestWrite: EventKind { EventKind(rawValue: 26) }

  // MARK: Trace service

  /// Write traces are now on these pages. `gpa` of the first, `a` page count, `cause` the hypercall (0: the hypervisor by itself).
  @inlinable public static var traceInstall: EventKind { EventKind(rawValue: 30) }
  /// Write traces are no longer on these pages. As `traceInstall`.
  @inlinable public static var traceRemove: EventKind { EventKind(rawValue: 31) }

  // MARK: Hypercalls

  /// The guest asked for something. `rip` the address the hypercall returns to, `a` the number, `data` the arguments, each 8 bytes little-endian.
  @inlinable public static var hypercall: EventKind { EventKind(rawValue: 40) }
  /// The answer. `cause` the `hypercall`, `a` status (0 or a negative error as two's complement), `b` value.
  @inlinable public static var hypercallResult: EventKind { EventKind(rawValue: 41) }

  // MARK: Integrity mode

  /// The one address that integrity mode may be entered from was registered. `rip` that address, `cause` the hypercall. (Also the next three.)
  @inlinable public static var entryPointSet: EventKind { EventKind(rawValue: 50) }
  /// Driver pages were registered. `gpa`, `a` page count, `b` `DriverPageKind`.
  @inlinable public static var driverPagesSet: EventKind { EventKind(rawValue: 51) }
  /// The base pointer of the protected-page tree was set. `gpa` of the base node.
  @inlinable public static var basePointerSet: EventKind { EventKind(rawValue: 52) }
  /// Registration is locked.
  @inlinable public static var registrationLocked: EventKind { EventKind(rawValue: 53) }
  /// The vCPU is in integrity mode. `rip` of the accepted hypercall, `cause` it.
  @inlinable public static var integrityEnter: EventKind { EventKind(rawValue: 54) }
  /// The vCPU left integrity mode. `rip`, `cause` the hypercall.
  @inlinable public static var integrityLeave: EventKind { EventKind(rawValue: 55) }
  /// A request or an entry was refused; an alert follows. `rip`, `a` `RefusalReason`, `cause` the hypercall (0: a halt).
  @inlinable public static var refusal: EventKind { EventKind(rawValue: 56) }

  // MARK: Alerts

  /// An alert was raised, and its action taken. `gpa` (0 for a refusal), `rip`, `a` `AlertAction`, `b` `AlertOrigin`,
  /// `cause` the `writeTrap`, `refusal` or `regionAccess`.
  @inlinable public static var alert: EventKind { EventKind(rawValue: 60) }

  // MARK: Interrupts

  /// An ordinary interrupt was sent. vCPU = the sender or the host, `a` target, `b` vector, `cause` the hypercall or 0.
  @inlinable public static var interruptRaise: EventKind { EventKind(rawValue: 70) }
  /// It was delivered to this vCPU. `a` vector, `cause` the `interruptRaise`.
  @inlinable public static var interruptDeliver: EventKind { EventKind(rawValue: 71) }
  /// An interrupt for the privileged mode was latched. vCPU = the sender or the host, `a` target, `b` 1 where it
  /// coalesced into one already latched, `cause` the hypercall or 0.
  @inlinable public static var privilegedRaise: EventKind { EventKind(rawValue: 72) }

  // MARK: Stop protocol. `b` is the number of the rendezvous, from 1, in every one of them.

  /// This vCPU takes the first-in path; from here it executes no guest code. `cause` the `privilegedRaise` it serves.
  @inlinable public static var rendezvousClaim: EventKind { EventKind(rawValue: 80) }
  /// A stop signal was sent. vCPU = the sender, `a` target.
  @inlinable public static var stopSend: EventKind { EventKind(rawValue: 81) }
  /// The vCPU took the stop signal and is in the stop state. `a` `Activity` it will return to, `c` digest of its registers, `rip`, `cause` the `stopSend`.
  @inlinable public static var stopAck: EventKind { EventKind(rawValue: 82) }
  /// The region was added to the global view. `gpa` and `a` its base and its length in bytes, `data` the seqs of the acks (and offlines) that this
  /// waited for, each 8 bytes little-endian.
  @inlinable public static var regionMap: EventKind { EventKind(rawValue: 83) }
  /// The vCPU is in the privileged mode. `a` `EntryPath`, `c` digest of the interrupted registers, `d` `Activity` interrupted, `rip` interrupted,
  /// `cause` the `privilegedRaise` it serves. A next-in that leaves the stop state repeats the activity and digest of its `stopAck`.
  @inlinable public static var modeEnter: EventKind { EventKind(rawValue: 84) }
  /// The vCPU left the privileged mode; it executes no guest code until `modeReturn` or `resumeTake`. `a` `ExitPath`.
  @inlinable public static var modeExit: EventKind { EventKind(rawValue: 85) }
  /// The region was removed from the global view. `gpa`, `a` as `regionMap`, `cause` the last `modeExit`.
  @inlinable public static var regionUnmap: EventKind { EventKind(rawValue: 86) }
  /// A resume signal was sent to a vCPU in the stop state. vCPU = the sender, `a` target, `cause` the `regionUnmap`.
  @inlinable public static var resumeSend: EventKind { EventKind(rawValue: 87) }
  /// The vCPU took the resume and left the stop state. `a` `Activity` it returns to, `c` digest of its registers, `rip`, `cause` the `resumeSend`.
  @inlinable public static var resumeTake: EventKind { EventKind(rawValue: 88) }
  /// The mode is free again; in one step with the last resume.
  @inlinable public static var rendezvousEnd: EventKind { EventKind(rawValue: 89) }
  /// The last-out vCPU goes back to what was interrupted. `a` `Activity`, `c` digest of its registers, `rip`.
  @inlinable public static var modeReturn: EventKind { EventKind(rawValue: 90) }
}
