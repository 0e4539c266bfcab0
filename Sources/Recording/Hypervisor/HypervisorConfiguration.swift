public import TraceEvents

/// What the hypervisor core is told about the machine before it starts.
public struct HypervisorConfiguration: Hashable, Sendable {
  /// 1 to 64.
  public var vcpuCount: Int
  /// Guest RAM, without the special region.
  public var memory: [GuestRange]
  /// The special region that holds the privileged mode's code.
  public var region: GuestRange
  /// The rules to break on purpose.
  public var faults: FaultSet
  /// End the session (`EndReason.allVCPUsHalted`) once every online vCPU is halted and nothing can wake one. False where the host itself
  /// raises interrupts.
  public var endsWhenIdle: Bool
  /// Whether the host can make writes trap. Where not, a request for a trace succeeds, and there is none.
  public var canTrace: Bool

  public init(
    vcpuCount: Int, memory: [GuestRange], region: GuestRange, faults: FaultSet = [], endsWhenIdle: Bool = true, canTrace: Bool = true
  ) {
    precondition((1...64).contains(vcpuCount), "1 to 64 vCPUs")
    self.vcpuCount = vcpuCount
    self.memory = memory
    self.region = region
    self.faults = faults
    self.endsWhenIdle = endsWhenIdle
    self.canTrace = canTrace
  }

  /// Whether `gpa ..< gpa + length` lies in one range of guest RAM and clear of the special region. Any numbers may be asked about.
  func isRAM(gpa: UInt64, length: UInt64) -> Bool {
    let (end, overflow) = gpa.addingReportingOverflow(length)
    guard !overflow, length > 0 else { return false }
    guard memory.contains(where: { $0.contains(gpa) && $0.length - (gpa - $0.start) >= length }) else { return false }
    return end <= region.start || gpa >= region.start + region.length
  }

  /// Whether `pages` whole pages from `gpa` on are guest RAM.
  func arePages(gpa: UInt64, pages: UInt64) -> Bool {
    gpa % guestPageSize == 0 && pages > 0 && pages <= Hypercall.maximumPages && isRAM(gpa: gpa, length: pages * guestPageSize)
  }
}
