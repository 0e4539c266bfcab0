import Completions
import KVM
import TraceEvents
import X86

/// Breakpoints, and instructions that an emulating KVM cannot execute, finished here. On other hosts nothing is ever finished.
extension Machine {
  private static let pageFault: UInt64 = 14

  /// Finishes what the exit stands for; false where it is for others to handle. Under `lock`, on the vCPU's own thread.
  func finishInstruction(_ exit: VMExit, _ unit: VCPUUnit) -> Bool {
    guard let platform else { return false }
    do throws(KVMError) {
      if platform.isEmulated, exit == .interrupted || unit.faultHandler == nil { try watchSystemCalls(unit) }
      switch exit {
      case .interrupted:
        try look(unit)
        return false
      case .emulationFailure(let bytes) where platform.isEmulated: return try complete(bytes, unit)
      case .debug where unit.vcpu.breakpoints.contains(unit.vcpu.instructionPointer):
        try passBreakpoint(unit, platform)
        return true
      default: return false
      }
    } catch {
      finish(error)
      return true
    }
  }

  /// Stopped before the instruction at a breakpoint: a moment that is waited for, or the page-fault handler.
  private func passBreakpoint(_ unit: VCPUUnit, _ platform: Platform) throws(KVMError) {
    platform.reach(unit.vcpu.instructionPointer)
    try setBreakpoints(unit)
    guard unit.vcpu.breakpoints.contains(unit.vcpu.instructionPointer) else { return }
    if try !completeSystemCall(unit) { unit.isAtBreakpoint = true }
  }

  /// Has the vCPU stop where something waits for it.
  func setBreakpoints(_ unit: VCPUUnit) throws(KVMError) {
    guard let platform else { return }
    try unit.vcpu.setBreakpoints([unit.faultHandler].compactMap(\.self) + platform.awaitedAddresses)
  }

  /// Goes into the guest, past the instruction that the vCPU stopped before at its breakpoint.
  func enterPastBreakpoint(_ unit: VCPUUnit) throws(KVMError) -> VMExit {
    guard unit.isAtBreakpoint else { return try unit.vcpu.enter() }
    unit.isAtBreakpoint = false
    try unit.vcpu.setSingleStep(true)
    let exit = try unit.vcpu.enter()
    try unit.vcpu.setSingleStep(false)
    return exit == .debug ? try unit.vcpu.enter() : exit
  }

  private func complete(_ bytes: [UInt8], _ unit: VCPUUnit) throws(KVMError) -> Bool {
    guard let (completion, length) = InstructionCompletion.decode(bytes) else { return false }
    var extended = try unit.vcpu.extendedState()
    guard let floating = FloatingState(Array(extended.prefix(FloatingState.size))) else { return false }
    var registers = unit.vcpu.registers
    let system = unit.vcpu.systemRegisters
    var state = ProcessorState(
      general: registers.general, rip: registers.rip, fsBase: system.fs.base, gsBase: system.gs.base, floating: floating)
    let outcome = completion.carryOut(length, on: &state) { self.guestBytes(at: $0, count: $1, unit) }
    guard outcome != .cannot else { return false }
    if state.floating != floating {
      extended.replaceSubrange(0..<FloatingState.size, with: state.floating.bytes)
      // Both parts are in use from here on.
      extended[Self.extendedParts] |= 3
      try unit.vcpu.setExtendedState(extended)
    }
    registers.rip = state.rip
    unit.vcpu.setRegisters(registers)
    if case .exception(let vector) = outcome { unit.vcpu.inject(exception: vector) }
    return true
  }

  /// Where the saved area says which of its parts hold anything.
  private static let extendedParts = 512

  // MARK: System calls

  /// Sets the breakpoint at the guest's page-fault handler, which may have another address since the last time.
  private func watchSystemCalls(_ unit: VCPUUnit) throws(KVMError) {
    let system = unit.vcpu.systemRegisters
    // Before system calls are turned on there are none.
    guard system.efer & 1 != 0, system.idtLimit >= 16 * (Self.pageFault + 1) - 1,
      let gate = guestBytes(at: system.idtBase &+ 16 * Self.pageFault, count: 16, unit), gate[5] & 0x80 != 0
    else { return }
    func word(_ first: Int, _ count: Int) -> UInt64 { (0..<count).reduce(0) { $0 | UInt64(gate[first + $1]) << UInt64(8 * $1) } }
    unit.faultHandler = word(0, 2) | word(6, 6) << 16
    try setBreakpoints(unit)
  }

  /// At the page-fault handler: false where it is a page fault.
  private func completeSystemCall(_ unit: VCPUUnit) throws(KVMError) -> Bool {
    var registers = unit.vcpu.registers
    guard let frame = guestBytes(at: registers.rsp, count: SystemCallEntry.frameSize, unit),
      let values = try unit.vcpu.modelSpecific(SystemCallEntry.registers), let entry = SystemCallEntry(frame: frame, values: values)
    else { return false }
    (registers.rip, registers.rsp, registers.rflags) = (entry.rip, entry.rsp, entry.rflags)
    var system = unit.vcpu.systemRegisters
    system.code = Segment(.kernelCode(entry.codeSelector))
    system.stack = Segment(.kernelData(entry.stackSelector))
    unit.vcpu.setSystemRegisters(system)
    unit.vcpu.setRegisters(registers)
    return true
  }

  /// Bytes at a guest-virtual address, nil where nothing is mapped there or it is no memory.
  private func guestBytes(at address: UInt64, count: Int, _ unit: VCPUUnit) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let at = address &+ UInt64(bytes.count)
      let part = min(count - bytes.count, Int(guestPageSize - at % guestPageSize))
      guard let gpa = try? unit.vcpu.translate(at), let found = ram.read(gpa: gpa, count: part) else { return nil }
      bytes += found
    }
    return bytes
  }
}

extension SegmentRegister {
  /// What `syscall` loads (Intel SDM volume 2, SYSCALL).
  fileprivate static func kernelCode(_ selector: UInt16) -> SegmentRegister { SegmentRegister(selector: selector, limit: 0xffff_ffff, type: 0xb, long: true) }

  fileprivate static func kernelData(_ selector: UInt16) -> SegmentRegister {
    SegmentRegister(selector: selector, limit: 0xffff_ffff, type: 0x3, defaultSize32: true)
  }
}
