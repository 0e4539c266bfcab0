import CKVM

/// Why a vCPU came back from `KVM_RUN`. What to do about it is for others to say.
public enum VMExit: Hashable, Sendable {
  /// A signal, or `immediate_exit`: nothing happened that needs an answer.
  case interrupted
  case portOut(port: UInt16, size: Int, count: Int, value: UInt64)
  /// To be answered with `VCPU.answerRead`.
  case portIn(port: UInt16, size: Int, count: Int)
  /// A store to a read-only slot or to no slot: `length` (1 to 8) low bytes of `value`, little-endian. Not done by KVM.
  case mmioWrite(gpa: UInt64, value: UInt64, length: Int)
  /// A load from no slot, to be answered with `VCPU.answerRead`.
  case mmioRead(gpa: UInt64, length: Int)
  case halt
  /// A triple fault.
  case shutdown
  case dirtyRingFull
  /// The guest can take an interrupt now; see `VCPU.wantsInterruptWindow`.
  case interruptWindow
  case debug
  /// KVM cannot execute this instruction; empty where it does not say which.
  case emulationFailure(instruction: [UInt8])
  case internalError(suberror: UInt64)
  case failedEntry(reason: UInt64)
  case systemEvent(type: UInt64)
  /// One that this version does not know.
  case other(reason: UInt32)

  /// The suberror of an interrupt or exception that could not be delivered.
  public static let deliveryFailed = UInt64(KVM_INTERNAL_ERROR_DELIVERY_EV)

  init(_ raw: ckvm_exit) {
    switch raw.reason {
    case UInt32(KVM_EXIT_IO) where raw.is_write != 0:
      self = .portOut(port: UInt16(truncatingIfNeeded: raw.address), size: Int(raw.length), count: Int(raw.count), value: raw.data)
    case UInt32(KVM_EXIT_IO): self = .portIn(port: UInt16(truncatingIfNeeded: raw.address), size: Int(raw.length), count: Int(raw.count))
    case UInt32(KVM_EXIT_MMIO) where raw.is_write != 0: self = .mmioWrite(gpa: raw.address, value: raw.data, length: Int(raw.length))
    case UInt32(KVM_EXIT_MMIO): self = .mmioRead(gpa: raw.address, length: Int(raw.length))
    case UInt32(KVM_EXIT_HLT): self = .halt
    case UInt32(KVM_EXIT_SHUTDOWN): self = .shutdown
    case UInt32(KVM_EXIT_INTR): self = .interrupted
    case UInt32(KVM_EXIT_DIRTY_RING_FULL): self = .dirtyRingFull
    case UInt32(KVM_EXIT_IRQ_WINDOW_OPEN): self = .interruptWindow
    case UInt32(KVM_EXIT_DEBUG): self = .debug
    case UInt32(KVM_EXIT_FAIL_ENTRY): self = .failedEntry(reason: raw.detail)
    case UInt32(KVM_EXIT_SYSTEM_EVENT): self = .systemEvent(type: raw.detail)
    case UInt32(KVM_EXIT_INTERNAL_ERROR) where raw.detail == UInt64(KVM_INTERNAL_ERROR_EMULATION):
      self = .emulationFailure(instruction: Self.bytes(raw))
    case UInt32(KVM_EXIT_INTERNAL_ERROR): self = .internalError(suberror: raw.detail)
    default: self = .other(reason: raw.reason)
    }
  }

  private static func bytes(_ raw: ckvm_exit) -> [UInt8] {
    (0..<Int(raw.instruction_size)).map { index in
      let word = index < 8 ? raw.instruction.0 : raw.instruction.1
      return UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
    }
  }
}
