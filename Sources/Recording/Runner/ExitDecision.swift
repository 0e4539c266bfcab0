package import Hypervisor
package import KVM
package import TraceEvents

/// What an exit asks of the hypervisor: a function of the exit and the registers alone, so that it needs no guest to be tested.
package enum ExitDecision: Hashable {
  /// The hypervisor core decides.
  case input(HypervisorInput)
  /// Nothing to decide: go on.
  case proceed
  /// The guest cannot go on.
  case end(EndReason, detail: String)
}

/// What must be done to an exit before the registers can be read.
package enum Completion: Hashable {
  /// They are right already.
  case none
  /// Finish the instruction.
  case finish
  /// Answer the read with this, then finish.
  case answer(UInt64)
  /// They are right, but parts of the store may follow: finish it before the vCPU does anything but run on.
  case later
}

/// The interface of `pagetape_abi.h` that an exit is read by.
enum GuestInterface {
  static let hypercallPort: UInt16 = 0x5054
  static let hypercallSize = 4
  static let regionBase: UInt64 = 0x7000_0000
  static let regionSize: UInt64 = 0x0010_0000
  static let stackSize: UInt64 = 0x1000
  static let maximumVCPUs = 64
  /// What a read of nothing gives, as on a bus without a device.
  static let nothing = UInt64.max

  /// Where a vCPU's stack in the region ends.
  static func regionStackTop(_ vcpu: Int) -> UInt64 {
    regionBase + regionSize - UInt64(maximumVCPUs) * stackSize + UInt64(vcpu + 1) * stackSize
  }
}

extension VMExit {
  package var isHypercall: Bool {
    if case .portOut(GuestInterface.hypercallPort, GuestInterface.hypercallSize, 1, _) = self { return true }
    return false
  }

  package var completion: Completion {
    switch self {
    case .portOut: .finish
    case .portIn, .mmioRead: .answer(GuestInterface.nothing)
    case .mmioWrite: .later
    default: .none
    }
  }

  /// What the trace calls it. `isRAM` says whether an address is guest RAM.
  package func traceReason(isRAM: (UInt64) -> Bool) -> GuestExitReason {
    switch self {
    case .interrupted: .kick
    case .portOut: isHypercall ? .hypercall : .portIO
    case .portIn: .portIO
    case .mmioWrite(let gpa, _, _): isRAM(gpa) ? .trappedWrite : .unmappedAccess
    case .mmioRead: .unmappedAccess
    case .halt: .halt
    case .shutdown: .shutdown
    case .dirtyRingFull: .dirtyRingFull
    case .interruptWindow: .interruptWindow
    case .debug: .debug
    case .emulationFailure: .emulationFailure
    case .internalError, .failedEntry: .internalError
    case .systemEvent, .other: .other
    }
  }

  /// What to do about it. `registers` are those after completion, `privilege` the vCPU's privilege level.
  package func decision(registers: Registers, privilege: UInt8, isRAM: (UInt64) -> Bool) -> ExitDecision {
    let rip = registers.rip
    switch self {
    case .portOut where isHypercall:
      let arguments = [registers.rdi, registers.rsi, registers.r9, registers.rcx, registers.r8]
      return .input(.hypercall(number: registers.rax, arguments: arguments, rip: rip, interruptsEnabled: registers.interruptsEnabled))
    case .mmioWrite(let gpa, let value, let length):
      let bytes = littleEndian(value, length)
      guard isRAM(gpa) else { return .input(.unmappedAccess(gpa: gpa, write: bytes, length: length, rip: rip)) }
      return .input(.trappedWrite(gpa: gpa, bytes: bytes, rip: rip, flags: WriteFlags.privilege(privilege).rawValue))
    case .mmioRead(let gpa, let length): return .input(.unmappedAccess(gpa: gpa, write: nil, length: length, rip: rip))
    case .halt: return .input(.halt(rip: rip))
    case .interrupted: return .input(.kicked)
    case .portOut, .portIn, .dirtyRingFull, .interruptWindow, .debug: return .proceed
    default: return ending(rip: rip)
    }
  }

  private func ending(rip: UInt64) -> ExitDecision {
    let place = "at rip 0x\(String(rip, radix: 16))"
    switch self {
    case .shutdown: return .end(.tripleFault, detail: "triple fault \(place)")
    case .emulationFailure(let instruction):
      let bytes = instruction.map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined(separator: " ")
      return .end(.emulationFailure, detail: "KVM cannot emulate the instruction \(place): \(bytes.isEmpty ? "bytes not known" : bytes)")
    case .internalError(Self.deliveryFailed):
      return .end(.internalError, detail: "KVM could not deliver an interrupt or an exception (internal error \(Self.deliveryFailed)) \(place)")
    case .internalError(let suberror): return .end(.internalError, detail: "KVM internal error \(suberror) \(place)")
    case .failedEntry(let reason): return .end(.internalError, detail: "KVM could not enter the guest \(place), hardware reason \(reason)")
    case .systemEvent(let type): return .end(.guestFinished, detail: "system event \(type) \(place)")
    default: return .end(.internalError, detail: "an exit that this version does not know \(place): \(self)")
    }
  }
}

/// The low `length` bytes of a value, in memory order.
func littleEndian(_ value: UInt64, _ length: Int) -> [UInt8] {
  (0..<length).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
}
