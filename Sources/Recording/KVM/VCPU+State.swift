import CKVM

/// The parts of a vCPU's state that a machine with interrupt controllers has, beside the registers of the shared page.
extension VCPU {
  /// What the time stamp counter counts, in thousands a second; 0 where KVM does not say.
  public func tscKilohertz() -> UInt64 {
    let number = descriptor.number
    return UInt64(max(0, seam.perform(.getTSCFrequency) { ckvm_get_tsc_khz(number) }))
  }

  /// What a vCPU of a machine with interrupt controllers does in the kernel (`KVM_GET_MP_STATE`, Documentation/virt/kvm/api.rst, 4.38).
  public enum Activity: Hashable, Sendable {
    case runs
    /// Until an interrupt.
    case halted
    /// Until another one's INIT, as those beside the first do.
    case awaitsInit
    /// Until another one's SIPI: nothing is executed before it, and the place where it starts is not known.
    case awaitsStart

    public var hasStarted: Bool { self == .runs || self == .halted }
  }

  /// What it does, once it has taken an INIT or a SIPI that is there for it. It waits for the vCPU's own thread to come out of the guest.
  public func activity() throws(KVMError) -> Activity {
    switch Int32(bitPattern: try runState()) {
    case KVM_MP_STATE_HALTED: return .halted
    case KVM_MP_STATE_UNINITIALIZED: return .awaitsInit
    case KVM_MP_STATE_INIT_RECEIVED: return .awaitsStart
    default: return .runs
    }
  }

  private func runState() throws(KVMError) -> UInt32 {
    let number = descriptor.number
    var state: UInt32 = 0
    try seam.call(.getMPState, "vCPU \(id)") { unsafe ckvm_get_mp_state(number, &state) }
    // What it has taken changed its registers.
    if unsafe ckvm_dirty_regs(run) == 0 { try load() }
    return state
  }

  /// The values of model-specific registers; nil where KVM does not have one of them.
  public func modelSpecific(_ numbers: [UInt32]) throws(KVMError) -> [UInt64]? {
    var entries = numbers.map { kvm_msr_entry(index: $0, reserved: 0, data: 0) }
    let number = descriptor.number
    let count = try seam.call(.getMSRs, "vCPU \(id)") { unsafe ckvm_get_msrs(number, &entries, UInt32(entries.count)) }
    return Int(count) == numbers.count ? entries.map(\.data) : nil
  }

  /// The area that `xsave` stores, 4096 bytes, with the x87 and SSE parts as `fxsave` has them in the first 512.
  public func extendedState() throws(KVMError) -> [UInt8] {
    let number = descriptor.number
    var state = kvm_xsave()
    try seam.call(.getXSave, "vCPU \(id)") { unsafe ckvm_get_xsave(number, &state) }
    return StateBytes.of(state)
  }

  /// Sets it from bytes that `extendedState` gave.
  public func setExtendedState(_ bytes: [UInt8]) throws(KVMError) {
    guard var state = StateBytes.value(bytes, kvm_xsave()) else {
      throw KVMError(.setXSave, errno: 0, detail: "\(bytes.count) bytes; expected 4096")
    }
    let number = descriptor.number
    try seam.call(.setXSave, "vCPU \(id)") { unsafe ckvm_set_xsave(number, &state) }
  }

  /// Queues an exception without an error code, to be delivered through the guest's IDT at the next run.
  public func inject(exception vector: UInt8) {
    // SAFETY: stores to the shared page.
    unsafe ckvm_sync_events(run).pointee.exception.injected = 1
    unsafe ckvm_sync_events(run).pointee.exception.nr = vector
    unsafe ckvm_sync_events(run).pointee.exception.has_error_code = 0
    unsafe ckvm_mark_dirty_regs(run, UInt64(CKVM_SYNC_EVENTS))
  }

  // MARK: All of it

  /// Everything that another machine needs to go on where this vCPU is: parts in a fixed order, bytes as KVM has them. `numbers` are those of
  /// `System.stateMSRs`.
  public func saveWhole(_ numbers: [UInt32]) throws(KVMError) -> [[UInt8]] {
    let number = descriptor.number
    var control = kvm_xcrs(), local = kvm_lapic_state(), debug = kvm_debugregs()
    // First: an INIT or a SIPI that is there is taken, which changes everything else.
    let state = try runState()
    try seam.call(.getXCRs) { unsafe ckvm_get_xcrs(number, &control) }
    try seam.call(.getLocalAPIC) { unsafe ckvm_get_lapic(number, &local) }
    try seam.call(.getDebugRegisters) { unsafe ckvm_get_debugregs(number, &debug) }
    // One by one: what a KVM lists it need not let be read.
    var registers: [UInt8] = []
    for msr in numbers {
      var entry = kvm_msr_entry(index: msr, reserved: 0, data: 0)
      let count = try seam.call(.getMSRs) { unsafe ckvm_get_msrs(number, &entry, 1) }
      if count == 1 { registers += StateBytes.of(entry) }
    }
    // SAFETY: reads of the shared page.
    var system = unsafe ckvm_sync_sregs(self.run).pointee
    system.interrupt_bitmap = (0, 0, 0, 0)
    let shared = unsafe [
      StateBytes.of(ckvm_sync_regs(self.run).pointee), StateBytes.of(system), StateBytes.of(ckvm_sync_events(self.run).pointee),
    ]
    return shared + [
      try extendedState(), StateBytes.of(control), StateBytes.of(local), StateBytes.of(debug), StateBytes.of(state), registers,
    ]
  }

  /// The parts that `saveWhole` gives, but for the last one: model-specific registers, as many as there are.
  private static let parts: [StateBytes.Part] = [
    .init("general registers", kvm_regs.self), .init("system registers", kvm_sregs.self), .init("events", kvm_vcpu_events.self),
    .init("extended state", kvm_xsave.self), .init("extended control registers", kvm_xcrs.self), .init("local APIC", kvm_lapic_state.self),
    .init("debug registers", kvm_debugregs.self), .init("run state", UInt32.self),
  ]

  /// What keeps parts from being a vCPU's state; nil where nothing does that shows without KVM.
  public static func problem(with state: [[UInt8]]) -> String? {
    if let problem = StateBytes.problem(with: Array(state.prefix(parts.count)), parts) { return problem }
    guard state.count == parts.count + 1, let registers = state.last else { return "\(state.count) parts; expected \(parts.count + 1)" }
    let size = MemoryLayout<kvm_msr_entry>.size
    guard registers.count % size == 0, registers.count / size <= Int(CKVM_MSR_LIMIT) else {
      return "model-specific registers of \(registers.count) bytes; expected \(size) for each, of at most \(CKVM_MSR_LIMIT)"
    }
    return nil
  }

  /// Puts it back, in the order in which the parts depend on each other. Of a state that `problem(with:)` finds nothing wrong with.
  public func restoreWhole(_ parts: [[UInt8]]) throws(KVMError) {
    guard Self.problem(with: parts) == nil, var registers = StateBytes.value(parts[0], kvm_regs()), var system = StateBytes.value(parts[1], kvm_sregs()),
      var events = StateBytes.value(parts[2], kvm_vcpu_events()), var control = StateBytes.value(parts[4], kvm_xcrs()),
      var local = StateBytes.value(parts[5], kvm_lapic_state()), var debug = StateBytes.value(parts[6], kvm_debugregs()),
      let state = StateBytes.value(parts[7], UInt32(0))
    else { preconditionFailure("parts of a vCPU that were not looked at") }
    let number = descriptor.number
    // Those of a snapshot from elsewhere may name an interrupt that is long past, too.
    system.interrupt_bitmap = (0, 0, 0, 0)
    var first = system
    try seam.call(.setSystemRegisters) { unsafe ckvm_set_sregs(number, &first) }
    try seam.call(.setXCRs) { unsafe ckvm_set_xcrs(number, &control) }
    try setExtendedState(parts[3])
    // Before the registers: a deadline is taken only where the APIC's timer is in that mode.
    try seam.call(.setLocalAPIC) { unsafe ckvm_set_lapic(number, &local) }
    try setModelSpecific(StateBytes.values(parts[8], kvm_msr_entry()))
    try seam.call(.setDebugRegisters) { unsafe ckvm_set_debugregs(number, &debug) }
    try seam.call(.setMPState) { ckvm_set_mp_state(number, state) }
    // Not by the shared page: what is to be set there is set late, over what another vCPU's SIPI sets meanwhile.
    try seam.call(.setRegisters) { unsafe ckvm_set_regs(number, &registers) }
    try seam.call(.setSystemRegisters) { unsafe ckvm_set_sregs(number, &system) }
    try seam.call(.setEvents) { unsafe ckvm_set_vcpu_events(number, &events) }
    try load()
  }

  private func setModelSpecific(_ entries: [kvm_msr_entry]) throws(KVMError) {
    let number = descriptor.number
    // A deadline is in the time stamp counter's time, and so comes after it.
    let ordered = entries.filter { $0.index != ModelSpecific.deadline } + entries.filter { $0.index == ModelSpecific.deadline }
    for entry in ordered {
      var entry = entry
      let taken = try seam.call(.setMSRs) { unsafe ckvm_set_msrs(number, &entry, 1) }
      // Many can be read only. A guest does without them, or they are what they were.
      guard taken == 0, ModelSpecific.essential.contains(entry.index), try modelSpecific([entry.index]) != [entry.data] else { continue }
      let (name, value) = (String(entry.index, radix: 16), String(entry.data, radix: 16))
      throw KVMError(.setMSRs, errno: 0, detail: "model-specific register 0x\(name) does not take 0x\(value)")
    }
  }

  /// How far the time stamp counter is ahead of where a state that was put back has it, in nanoseconds: not all KVMs set it. Nil where the state does
  /// not say.
  public func clockLead(over parts: [[UInt8]]) throws(KVMError) -> Int64? {
    let saved = StateBytes.values(parts[8], kvm_msr_entry()).first { $0.index == ModelSpecific.timeStampCounter }
    let rate = tscKilohertz()
    guard let saved, rate > 0, let now = try modelSpecific([ModelSpecific.timeStampCounter])?.first else { return nil }
    return Int64(clamping: Int128(Int64(bitPattern: now &- saved.data)) * 1_000_000 / Int128(rate))
  }
}

/// Numbers of model-specific registers (Intel SDM volume 4; Documentation/virt/kvm/x86/msr.rst).
private enum ModelSpecific {
  static let timeStampCounter: UInt32 = 0x10
  static let deadline: UInt32 = 0x6e0

  /// Those without which a guest goes astray: the ways into its kernel, its bases and its memory types, and where it has its time from.
  static let essential: Set<UInt32> = [
    0x10, 0x3b, 0x174, 0x175, 0x176, 0x277, 0x6e0, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0xc000_0102, 0xc000_0103, 0x4b56_4d00, 0x4b56_4d01,
  ]
}

extension System {
  /// The model-specific registers that make up a vCPU's state.
  public func stateMSRs() throws(KVMError) -> [UInt32] {
    let number = descriptor.number
    var numbers = [UInt32](repeating: 0, count: Int(CKVM_MSR_LIMIT))
    let count = try seam.call(.getMSRList) { unsafe ckvm_get_msr_list(number, &numbers) }
    return Array(numbers.prefix(Int(count)))
  }
}
