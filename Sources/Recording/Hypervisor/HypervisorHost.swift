public import TraceEvents

/// What the hypervisor core asks of the world below it. The core decides; the host only carries out, in the order asked.
///
/// The runner implements it over KVM, tests over plain values. Every call comes from inside a method of `HypervisorCore`, which the
/// runner serialises with one lock, so that the order of the recorded events is the order of the decisions. Calls that touch registers
/// (`registers`, `setHypercallResult`, `enterHandler`, `restoreInterrupted`, `injectInterrupt`, `prepareStart`) only ever name the vCPU whose
/// `handle` or `step` is running, so they come on that vCPU's own thread.
///
/// The core records every decision and every transition. The host records what it alone sees: `guestEnter`, `guestExit`, `pageWrite`,
/// the `pageContents` of loaded pages, lost events, and the session's start and end.
public protocol HypervisorHost {
  /// Records an event and returns its sequence number (`event.seq` and `event.time` are ignored: the recorder gives both).
  mutating func record(_ event: Event) -> UInt64

  /// Makes a vCPU that was told to run leave guest code soon, also where its thread is still on its way in. It comes back with
  /// `HypervisorInput.kicked`, unless something else made it exit first.
  mutating func kick(_ vcpu: Int)
  /// The vCPU's thread may be waiting in the host, or about to: let it ask `step` again.
  mutating func wake(_ vcpu: Int)

  /// Adds the special region to, or removes it from, the global view: all vCPUs see it at once.
  mutating func setRegionMapped(_ mapped: Bool)
  /// Puts write traces on pages (or takes them off). On return no vCPU can write them without a trap (or all can). No vCPU but the caller's
  /// may be in guest code meanwhile; the host sees to that.
  ///
  /// Putting on: before it returns, the host has harvested every vCPU and recorded (`pageWrite`, under the vCPU that wrote) all that was
  /// written to these pages without a trap. So no `pageWrite` of a traced page ever follows its `traceInstall`, which the core records next.
  mutating func setTraced(_ traced: Bool, firstGFN: UInt64, pageCount: UInt64)

  /// Reads guest memory as it is now; nil where `gpa ..< gpa + count` is not all guest RAM. The special region is not guest RAM.
  func readMemory(gpa: UInt64, count: Int) -> [UInt8]?
  /// Stores into guest memory: a trapped write that is let through. The core only asks for what it found to be
  /// guest RAM (with the fault `stop/serve-region` also for the region).
  mutating func writeMemory(gpa: UInt64, _ bytes: [UInt8])

  /// A digest of the vCPU's registers and its instruction pointer, as they are now.
  func registers(of vcpu: Int) -> RegisterSnapshot
  /// The status (RAX) and value (R10) of the hypercall that the vCPU made.
  mutating func setHypercallResult(_ vcpu: Int, status: Int64, value: UInt64)
  /// Saves the vCPU's registers and points it at the privileged mode's handler in the region.
  mutating func enterHandler(_ vcpu: Int)
  /// Restores what `enterHandler` saved. A hypercall result that was owed is still owed.
  mutating func restoreInterrupted(_ vcpu: Int)
  /// Injects an ordinary interrupt. Only asked while the vCPU can take it (`VCPUReadiness`).
  mutating func injectInterrupt(_ vcpu: Int, vector: UInt8)
  /// Prepares a vCPU that has not run to start at `rip` with `argument`.
  mutating func prepareStart(_ vcpu: Int, rip: UInt64, argument: UInt64)
}

/// Where a vCPU stands: what its trace events need.
public struct RegisterSnapshot: Hashable, Sendable {
  public var rip: UInt64
  public var digest: UInt64

  public init(rip: UInt64, digest: UInt64) {
    self.rip = rip
    self.digest = digest
  }
}
