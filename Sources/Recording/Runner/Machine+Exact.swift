import Hypervisor
import KVM
import TraceEvents
import TraceFile
import X86

/// Recordings in which every write traps: what the hypervisor has no part in is done and told here.
extension Machine {
  /// Whether a write there that came out of the guest is one to memory. Without `lock`.
  func isWatched(_ gpa: UInt64) -> Bool {
    isRAM(gpa) || (writes == .exact && region.range.contains(gpa) && lock.locked { regionIsMapped })
  }

  /// Does a write that trapped for the recording's sake only, and tells of it; false where the hypervisor has to decide. Under `lock`.
  func applyExactWrite(_ input: HypervisorInput, _ unit: VCPUUnit) -> Bool {
    guard writes == .exact else { return false }
    let write: (gpa: UInt64, bytes: [UInt8], rip: UInt64, flags: UInt64)
    switch input {
    case .trappedWrite(let gpa, let bytes, let rip, let flags) where !slots.isTraced(Int(gpa / guestPageSize)): write = (gpa, bytes, rip, flags)
    case .unmappedAccess(let gpa, let bytes?, _, let rip) where regionIsMapped && region.range.contains(gpa):
      write = (gpa, bytes, rip, WriteFlags.privilege(unit.vcpu.privilegeLevel).rawValue)
    default: return false
    }
    let fresh = freshWrite(unit, gpa: write.gpa, bytes: write.bytes, flags: write.flags)
    tellWrite(gpa: write.gpa, fresh.bytes, rip: write.rip, flags: fresh.flags, unit)
    return true
  }

  /// Delivers an interrupt as the processor would; false where KVM has to. Under `lock`, on the vCPU's own thread, with no instruction half done.
  ///
  /// KVM cannot push the frame itself: where the stack is read-only to it, the delivery fails, and a guest that fails at that shuts down.
  func deliverInterrupt(_ vector: UInt8, _ unit: VCPUUnit) throws(KVMError) -> Bool {
    var registers = unit.vcpu.registers
    let system = unit.vcpu.systemRegisters
    let entry = UInt64(vector) * InterruptDelivery.gateSize
    guard entry + InterruptDelivery.gateSize - 1 <= UInt64(system.idtLimit), let table = try unit.vcpu.translate(system.idtBase &+ entry),
      let gate = ram.read(gpa: table, count: Int(InterruptDelivery.gateSize))
    else { return false }
    let context = InterruptDelivery.Context(
      rip: registers.rip, rsp: registers.rsp, rflags: registers.rflags, codeSelector: system.code.selector, stackSelector: system.stack.selector)
    guard let delivery = InterruptDelivery(gate: gate, from: context) else { return false }
    var slots: [(gpa: UInt64, word: UInt64)] = []
    for (index, word) in delivery.frame.enumerated() {
      guard let gpa = try unit.vcpu.translate(delivery.rsp &+ UInt64(8 * index)), ram.read(gpa: gpa, count: 8) != nil,
        !self.slots.isTraced(Int(gpa / guestPageSize))
      else { return false }
      slots.append((gpa, word))
    }
    // From the top of the stack down, as they are pushed.
    for (gpa, word) in slots.reversed() { tellWrite(gpa: gpa, littleEndian(word, 8), rip: registers.rip, flags: 0, unit) }
    (registers.rip, registers.rsp, registers.rflags) = (delivery.rip, delivery.rsp, delivery.rflags)
    unit.vcpu.setRegisters(registers)
    return true
  }

  private func tellWrite(gpa: UInt64, _ bytes: [UInt8], rip: UInt64, flags: UInt64, _ unit: VCPUUnit) {
    let memory = isRAM(gpa) ? ram : region
    let before = memory.read(gpa: gpa, count: bytes.count) ?? []
    writingVCPU = unit.number
    write(gpa: gpa, bytes)
    writingVCPU = nil
    let after = memory.read(gpa: gpa, count: bytes.count) ?? []
    _ = writer?.append(
      TraceEvents.Event(.guestWrite, vcpu: UInt16(unit.number), gpa: gpa, rip: rip, a: flags, data: before + after))
  }
}
