// The enumerations that operands of events hold. Raw values are the numbers in the file.

/// Why a recording ended.
public enum EndReason: UInt64, Sendable, CaseIterable {
  case guestFinished = 0, interrupted, suspendedByAlert, terminatedByAlert, tripleFault, emulationFailure, internalError, sizeCap, diskFull, allVCPUsHalted
}

/// Why events are missing.
public enum LossCause: UInt64, Sendable, CaseIterable {
  case dirtyRingOverflow = 0, recorderOverflow, diskFull, damagedFrame
  /// Only the end of the recording was kept. The first event of such a trace; its number is that of the last event that was let go of.
  case flightRecorder
}

/// Why a vCPU came back from guest code.
public enum GuestExitReason: UInt64, Sendable, CaseIterable {
  /// A signal took it out: nothing for the guest to finish.
  case kick = 0
  case hypercall, trappedWrite, unmappedAccess, halt, dirtyRingFull, interruptWindow, shutdown, emulationFailure, internalError, portIO, debug, other
}

/// What a trapped write was. Bits 0 and 1: the privilege level (CPL) of the writer.
public struct WriteFlags: OptionSet, Hashable, Sendable {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// A locked read-modify-write whose read had gone stale was computed anew, so that it stayed atomic.
  public static let recomputed = WriteFlags(rawValue: 1 << 2)
  /// A write by another vCPU came between the read and the write of this instruction and it could not be recomputed: atomicity may be lost here.
  public static let atomicityUnknown = WriteFlags(rawValue: 1 << 3)

  public static func privilege(_ level: UInt8) -> WriteFlags { WriteFlags(rawValue: UInt64(level & 3)) }
}

/// What the hypervisor did with a trapped write.
public enum WriteOutcome: UInt64, Sendable, CaseIterable {
  case applied = 0, dropped
}

public enum AccessKind: UInt64, Sendable, CaseIterable {
  case read = 0, write, execute
}

public enum DriverPageKind: UInt64, Sendable, CaseIterable {
  case code = 0, data
}

/// What happens to an offending write (US20170300430A1), and to a refused request.
public enum AlertAction: UInt8, Sendable, CaseIterable {
  /// Let the write through.
  case notify = 0
  /// Drop it.
  case deny
  /// Drop it and stop the virtual machine, to be looked at.
  case suspend
  /// Drop it and end the virtual machine.
  case terminate
}

/// What an alert is about.
public enum AlertOrigin: UInt64, Sendable, CaseIterable {
  case node = 0, mapping, driverPage, refusal, region
}

/// Why a request was refused.
public enum RefusalReason: UInt64, Sendable, CaseIterable {
  case wrongEntryPoint = 0, outsideIntegrityMode, registrationLocked, notRegistered, stillProtected, alreadyInMode, interruptsEnabled, notInMode
  /// The vCPU halted in integrity mode.
  case haltInMode
  /// The base pointer was to lead to pages that are no tree.
  case malformedTree
  /// Before the lock: there is one already, and it is set once.
  case alreadyRegistered
}

/// What a vCPU was doing when it was stopped or interrupted for the privileged mode, and must go on doing.
public struct Activity: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  public static let running = Activity(rawValue: 0)
  public static let halted = Activity(rawValue: 1)
  /// In the middle of a hypercall whose result is still owed.
  public static let inHypercall = Activity(rawValue: 2)

  /// The same activity in integrity mode: bit 8.
  public static let integrityBit: UInt64 = 0x100
  public var inIntegrityMode: Bool { rawValue & Self.integrityBit != 0 }
  public func inIntegrityMode(_ flag: Bool) -> Activity {
    Activity(rawValue: flag ? rawValue | Self.integrityBit : rawValue & ~Self.integrityBit)
  }
}

/// How a vCPU came into the privileged mode (US20180307829A1).
public enum EntryPath: UInt64, Sendable, CaseIterable {
  /// First in: after the stops, the acks and the map.
  case first = 0
  /// Next in: out of the stop state (or its own latched interrupt) while another is in the mode.
  case next
  /// The last one out handed the mapped region over to it.
  case handedOver
}

/// How a vCPU left the privileged mode.
public enum ExitPath: UInt64, Sendable, CaseIterable {
  case last = 0
  /// Others are still in: this one is now in the stop state.
  case notLast
  /// Nobody else is in, but one was interrupted: the region stays mapped for it, and this one is now in the stop state.
  case handOver
}
