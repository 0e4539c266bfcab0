/// What a KVM can do that not every KVM can (`KVM_CHECK_EXTENSION`).
public enum Capability: UInt32, CaseIterable, Sendable {
  case userMemory = 3
  case vcpuLimit = 66
  case syncRegisters = 74
  case readOnlyMemory = 81
  case memorySlotLimit = 10
  case immediateExit = 136
  case dirtyRing = 192
  case emulationFailureExit = 204
  case dirtyRingAcquireRelease = 223

  /// As in the kernel's headers, without the prefix.
  public var name: String {
    switch self {
    case .userMemory: "user-memory"
    case .vcpuLimit: "max-vcpus"
    case .syncRegisters: "sync-regs"
    case .readOnlyMemory: "readonly-mem"
    case .memorySlotLimit: "nr-memslots"
    case .immediateExit: "immediate-exit"
    case .dirtyRing: "dirty-log-ring"
    case .emulationFailureExit: "exit-on-emulation-failure"
    case .dirtyRingAcquireRelease: "dirty-log-ring-acq-rel"
    }
  }
}
