import CKVM

/// Everything of a vCPU that the privileged mode may change, to be put back exactly.
public struct SavedState: Sendable {
  var registers: kvm_regs
  var system: kvm_sregs
  var events: kvm_vcpu_events
  var fpu: kvm_fpu

  /// The general registers among it.
  public var general: Registers { Registers(registers) }
}

// Registers live in the page shared with the kernel: it fills them in at every exit, and takes those marked dirty at the next entry.
// They are right only after the exit was completed (`VCPU.complete`).
extension VCPU {
  public var registers: Registers {
    // SAFETY: reads of the shared page.
    unsafe Registers(ckvm_sync_regs(run).pointee)
  }

  public func setRegisters(_ registers: Registers) {
    // SAFETY: stores to the shared page.
    unsafe ckvm_sync_regs(run).pointee = registers.raw
    unsafe ckvm_mark_dirty_regs(run, UInt64(CKVM_SYNC_REGS))
  }

  /// The instruction pointer alone: read at every entry and exit.
  public var instructionPointer: UInt64 {
    // SAFETY: a read of the shared page.
    unsafe ckvm_sync_regs(run).pointee.rip
  }

  /// The guest-virtual address of what is executed next: the instruction pointer, and in 16-bit code its segment's base.
  public var linearInstructionPointer: UInt64 {
    // SAFETY: reads of the shared page.
    let code = unsafe ckvm_sync_sregs(run).pointee.cs
    return code.l != 0 ? instructionPointer : code.base &+ instructionPointer
  }

  /// The current privilege level: that of the stack segment.
  public var privilegeLevel: UInt8 {
    // SAFETY: a read of the shared page.
    unsafe ckvm_sync_sregs(run).pointee.ss.dpl
  }

  public var systemRegisters: SystemRegisters {
    // SAFETY: reads of the shared page.
    unsafe SystemRegisters(ckvm_sync_sregs(run).pointee)
  }

  /// KVM queues again whatever vector is in the interrupt bitmap, and never takes one out of the shared page's once it was there: an interrupt that was
  /// delivered long ago would come once more. What is queued is in the events, so the bitmap is cleared here and wherever these registers are saved.
  public func setSystemRegisters(_ registers: SystemRegisters) {
    // SAFETY: stores to the shared page.
    unsafe registers.store(in: &ckvm_sync_sregs(run).pointee)
    unsafe ckvm_sync_sregs(run).pointee.interrupt_bitmap = (0, 0, 0, 0)
    unsafe ckvm_mark_dirty_regs(run, UInt64(CKVM_SYNC_SREGS))
  }

  /// Takes the state as it is.
  public func save() throws(KVMError) -> SavedState {
    let number = descriptor.number
    var fpu = kvm_fpu()
    try seam.call(.getFPU, "vCPU \(id)") { unsafe ckvm_get_fpu(number, &fpu) }
    // SAFETY: reads of the shared page.
    var system = unsafe ckvm_sync_sregs(run).pointee
    system.interrupt_bitmap = (0, 0, 0, 0)
    return unsafe SavedState(
      registers: ckvm_sync_regs(run).pointee, system: system, events: ckvm_sync_events(run).pointee, fpu: fpu)
  }

  /// Puts a state back.
  public func restore(_ state: SavedState) throws(KVMError) {
    let number = descriptor.number
    var fpu = state.fpu
    try seam.call(.setFPU, "vCPU \(id)") { unsafe ckvm_set_fpu(number, &fpu) }
    // SAFETY: stores to the shared page.
    unsafe ckvm_sync_regs(run).pointee = state.registers
    unsafe ckvm_sync_sregs(run).pointee = state.system
    unsafe ckvm_sync_events(run).pointee = state.events
    unsafe ckvm_mark_dirty_regs(run, UInt64(CKVM_SYNC_REGS | CKVM_SYNC_SREGS | CKVM_SYNC_EVENTS))
  }

  /// Drops what is about to be delivered, for a mode that nothing may be delivered in.
  public func clearPendingEvents() {
    // SAFETY: stores to the shared page.
    unsafe ckvm_sync_events(run).pointee.interrupt.injected = 0
    unsafe ckvm_sync_events(run).pointee.interrupt.shadow = 0
    unsafe ckvm_sync_events(run).pointee.exception.injected = 0
    unsafe ckvm_sync_events(run).pointee.exception.pending = 0
    unsafe ckvm_sync_sregs(run).pointee.interrupt_bitmap = (0, 0, 0, 0)
    unsafe ckvm_mark_dirty_regs(run, UInt64(CKVM_SYNC_SREGS | CKVM_SYNC_EVENTS))
  }
}
