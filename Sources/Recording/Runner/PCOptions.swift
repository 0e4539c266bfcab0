public import Hypervisor
public import SavedMachines
import Synchronization

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

/// The other end of a guest's first serial port.
public final class Console: Sendable {
  private let output: @Sendable (UInt8) -> Void
  private let machine = Mutex<(@Sendable ([UInt8]) -> Void)?>(nil)
  /// What was sent before there was a machine.
  private let early = Mutex<[UInt8]>([])

  /// `output` is called for each byte that the guest sends, on the thread of the vCPU that sends it.
  public init(output: @escaping @Sendable (UInt8) -> Void) { self.output = output }

  /// Sends bytes to the guest. From any thread, at any time: what the guest does not take waits.
  public func send(_ bytes: [UInt8]) {
    if let take = machine.withLock({ $0 }) { take(bytes) } else { early.withLock { $0 += bytes } }
  }

  func receive(_ byte: UInt8) { output(byte) }

  func connect(_ take: @escaping @Sendable ([UInt8]) -> Void) {
    machine.withLock { $0 = take }
    let bytes = early.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    if !bytes.isEmpty { take(bytes) }
  }

  func disconnect() { machine.withLock { $0 = nil } }
}
