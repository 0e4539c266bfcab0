public import Hypervisor
public import SavedMachines

/// A PC's devices, as a recording is told of them.
public struct PCOptions: Sendable {
  public var console: Console
  /// Where the guest goes on from, instead of starting; nil for a start. The image must be the one that is made of it.
  public var start: SavedMachine?
  /// Takes the machine's state at a moment; nil for never.
  public var snapshot: SnapshotRequest?
  /// Protects memory from a moment on; nil for never.
  public var protection: ProtectionRequest?

  public init(console: Console) {
    self.console = console
    start = nil
    snapshot = nil
    protection = nil
  }
}

/// When to take a machine's state, and what for.
public struct SnapshotRequest: Sendable {
  public var moment: Moment
  /// Called once, on the thread of a vCPU, with every vCPU out of the guest. The guest goes on where it fails, and the summary tells why it did.
  public var take: @Sendable (SavedMachine) throws -> Void

  public init(at moment: Moment, take: @escaping @Sendable (SavedMachine) throws -> Void) {
    self.moment = moment
    self.take = take
  }
}

/// What memory the host protects, and from when on. Where a snapshot is due at the same moment, it is taken first.
public struct ProtectionRequest: Sendable {
  public var plan: ProtectionPlan
  public var moment: Moment

  public init(_ plan: ProtectionPlan, from moment: Moment) {
    self.plan = plan
    self.moment = moment
  }
}
