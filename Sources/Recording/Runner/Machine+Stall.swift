import Glibc
import KVM
import TraceEvents

/// Instructions that KVM begins again and again without an end: its emulation of some of them (`sgdt`, `sidt`, the load of a segment register that sets
/// a descriptor's accessed bit) does not turn a store to read-only memory into an exit, but goes back to the guest, which faults at the same instruction.
/// Nothing comes out of `KVM_RUN` then but by a signal.
extension Machine {
  /// How long a vCPU is at one instruction before it is looked at, in nanoseconds.
  private static let patience: UInt64 = 2_000_000_000
  /// Single steps that leave a vCPU where and what it was before it is given up.
  private static let stepLimit = 3
  /// How much of its thread's own time they may take where they do not even end, in nanoseconds: a busy machine, or a slow one, has nothing to do with it.
  private static let timeLimit: UInt64 = 1_000_000_000
  /// The longest instruction of the architecture.
  private static let instructionLength = 15

  /// After a kick: whether the vCPU does not get past an instruction. Ends the session then. Without `lock`.
  ///
  /// A loop of one instruction is at one instruction too: only what is no branch must lead on. `exit` is what a step ended with, if with anything else.
  func hasStalled(_ unit: VCPUUnit, _ exit: inout VMExit) throws(KVMError) -> Bool {
    let (rip, now) = (unit.vcpu.instructionPointer, monotonicNanoseconds())
    guard exit == .interrupted, let still = unit.still, still.rip == rip else {
      unit.still = exit == .interrupted ? VCPUUnit.Still(rip: rip, since: now) : nil
      return false
    }
    guard now - still.since > Self.patience, !unit.vcpu.hasQueuedEvent else { return false }
    let code = code(at: rip, unit)
    // With interrupt controllers in the kernel a halt is waited out there.
    if platform != nil, try unit.vcpu.activity() != .runs { return false }
    guard Self.leadsOn(code), lock.locked({ mayStep(unit) }) else { return false }
    let before = place(unit)
    let started = Self.threadTime()
    let end = try step(unit)
    guard end == .debug || end == .interrupted, place(unit) == before else {
      unit.still = nil
      if end != .debug { exit = end }
      return false
    }
    unit.still?.steps += end == .debug ? 1 : 0
    unit.still?.time += Self.threadTime() - started
    guard let still = unit.still, still.steps >= Self.stepLimit || still.time > Self.timeLimit else { return false }
    let bytes = code.map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined(separator: " ")
    let which = "vCPU \(unit.number) at rip 0x\(String(rip, radix: 16)): \(bytes)"
    lock.locked { finish(.emulationFailure, "KVM does not get past the instruction of \(which); it cannot finish every store where writes trap") }
    return true
  }

  private func step(_ unit: VCPUUnit) throws(KVMError) -> VMExit {
    try unit.vcpu.setSingleStep(true)
    let exit: VMExit
    do throws(KVMError) {
      exit = try unit.vcpu.enter()
    } catch {
      try? unit.vcpu.setSingleStep(false)
      throw error
    }
    try unit.vcpu.setSingleStep(false)
    return exit
  }

  /// Whether the instruction is certainly none that may lead to itself: of the second opcode page (but for the conditional jumps there), of the x87's,
  /// or a load of a segment register.
  private static func leadsOn(_ code: [UInt8]) -> Bool {
    let rest = withoutPrefixes(code)
    guard let first = rest.first, let second = rest.dropFirst().first else { return false }
    return first == 0x0f ? second & 0xf0 != 0x80 : (0xd8...0xdf).contains(first) || first == 0x8e
  }

  func isAtHalt(_ unit: VCPUUnit) -> Bool { Self.withoutPrefixes(code(at: unit.vcpu.instructionPointer, unit)).first == 0xf4 }

  private static func withoutPrefixes(_ code: [UInt8]) -> ArraySlice<UInt8> {
    let prefixes: Set<UInt8> = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]
    return code.drop { prefixes.contains($0) || $0 & 0xf0 == 0x40 }
  }

  private func code(at rip: UInt64, _ unit: VCPUUnit) -> [UInt8] {
    guard let gpa = try? unit.vcpu.translate(rip) else { return [] }
    let count = min(Self.instructionLength, Int(guestPageSize - gpa % guestPageSize))
    return ram.read(gpa: gpa, count: count) ?? region.read(gpa: gpa, count: count) ?? []
  }

  /// Whether nobody wants the vCPU out of the guest. Clears the kick if so. Under `lock`.
  private func mayStep(_ unit: VCPUUnit) -> Bool {
    guard end == nil, !unit.attention else { return false }
    unit.vcpu.setImmediateExit(false)
    return true
  }

  /// Time that the calling thread has spent on a processor, in nanoseconds.
  private static func threadTime() -> UInt64 {
    var time = timespec()
    // SAFETY: the structure is ours.
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
