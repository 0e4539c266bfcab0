import Completions
import KVM
import TraceEvents
import X86

/// Breakpoints, and instructions that an emulating KVM cannot execute, finished here. On other hosts nothing is ever finished.
extension Machine {
  private static let doubleFault: UInt64 = 8
  private static let pageFault: UInt64 = 14

  /// Finishes what the exit stands for; false where it is for others to handle. Under `lock`, on the vCPU's own thread.
  func finishInstruction(_ exit: VMExit, _ unit: VCPUUnit) -> Bool {
    guard let platform else { return false }
    do throws(KVMError) {
      if platform.isEmulated, exit == .interrupted || unit.faultHandler == nil { try watchHandlers(unit) }
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

  /// Stopped before the instruction at a breakpoint: a moment that is waited for, or a handler.
  private func passBreakpoint(_ unit: VCPUUnit, _ platform: Platform) throws(KVMError) {
    platform.reach(unit.vcpu.instructionPointer)
    try setBreakpoints(unit)
    let place = unit.vcpu.instructionPointer
    guard unit.vcpu.breakpoints.contains(place) else { return }
    if place == unit.faultHandler, try completeSystemCall(unit) { return }
    if place == unit.doubleFaultHandler, try endAtDoubleFault(unit) { return }
    unit.isAtBreakpoint = true
  }

  /// Has the vCPU stop where something waits for it.
  func setBreakpoints(_ unit: VCPUUnit) throws(KVMError) {
    guard let platform else { return }
    try unit.vcpu.setBreakpoints([unit.faultHandler, unit.doubleFaultHandler].compactMap(\.self) + platform.awaitedAddresses)
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

  /// Sets the breakpoints at handlers of the guest's, which may have other addresses since the last time.
  func watchHandlers(_ unit: VCPUUnit) throws(KVMError) {
    // Before system calls are turned on there are none.
    if unit.vcpu.systemRegisters.efer & 1 != 0, let handler = handler(of: Self.pageFault, unit) { unit.faultHandler = handler }
    if watchesStacks, let handler = handler(of: Self.doubleFault, unit) { unit.doubleFaultHandler = handler }
    try setBreakpoints(unit)
  }

  /// Where the interrupt descriptor table leads for a vector; nil where it has no such gate.
  private func handler(of vector: UInt64, _ unit: VCPUUnit) -> UInt64? {
    let system = unit.vcpu.systemRegisters
    let entry = vector * InterruptDelivery.gateSize
    guard UInt64(system.idtLimit) >= entry + InterruptDelivery.gateSize - 1,
      let gate = guestBytes(at: system.idtBase &+ entry, count: Int(InterruptDelivery.gateSize), unit), gate[5] & 0x80 != 0
    else { return nil }
    return InterruptDelivery.handler(gate: gate)
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
  func guestBytes(at address: UInt64, count: Int, _ unit: VCPUUnit) -> [UInt8]? {
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
