public import TraceEvents

/// What happened on a vCPU, as the layer below saw it. The exit is complete: the guest's registers are past the instruction.
public enum HypervisorInput: Hashable, Sendable {
  /// A hypercall; `rip` is the address it returns to. `interruptsEnabled` is the guest's RFLAGS.IF.
  case hypercall(number: UInt64, arguments: [UInt64], rip: UInt64, interruptsEnabled: Bool)
  /// A write of 1 to 8 bytes, inside one page, to a traced page; not yet done. `flags` is `WriteFlags.rawValue`.
  case trappedWrite(gpa: UInt64, bytes: [UInt8], rip: UInt64, flags: UInt64)
  /// An access to memory that is not in the view (the special region, or nothing at all). `write` is nil for a read. It has no effect:
  /// what a read returns is the host's business.
  case unmappedAccess(gpa: UInt64, write: [UInt8]?, length: Int, rip: UInt64)
  /// The guest executed HLT.
  case halt(rip: UInt64)
  /// The vCPU left guest code because it was told to, or because its interrupt window opened; nothing to finish.
  case kicked
  /// The guest cannot go on: triple fault or KVM gave up. The session ends for this reason. `gpa` is where the instruction is, nil where that is
  /// not known.
  case failed(EndReason, detail: String, gpa: UInt64?, rip: UInt64)
}

/// What the vCPU's thread does next.
public enum Directive: Hashable, Sendable {
  /// Execute guest code until the next exit. With `interruptWindow`, also come back (`HypervisorInput.kicked`) as soon as the vCPU can take
  /// an ordinary interrupt: one is held for it.
  case run(interruptWindow: Bool)
  /// One transition of several is done: release the lock, so that other vCPUs may act in between, and ask again at once.
  case again
  /// Wait in the host until `HypervisorHost.wake`, then ask again. A wake that comes before the wait begins must not be lost.
  case wait
  /// The vCPU is offline or the session is over: the thread ends.
  case finish
}

/// What the host knows of a vCPU when it asks for the next step: whether an ordinary interrupt could be injected now.
public struct VCPUReadiness: Hashable, Sendable {
  /// RFLAGS.IF is set, no interrupt shadow, nothing injected and not yet taken. Asked for a halted vCPU too.
  public var canTakeInterrupt: Bool

  public init(canTakeInterrupt: Bool) { self.canTakeInterrupt = canTakeInterrupt }
}
