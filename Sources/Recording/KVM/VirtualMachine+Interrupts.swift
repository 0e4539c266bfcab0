import CKVM

/// The interrupt controllers and the timer of a PC, in the kernel.
extension VirtualMachine {
  /// Pages that KVM uses for itself on some Intel CPUs: below 4 GiB, where a PC has its firmware and a guest here no memory.
  private static let taskStateAddress: UInt64 = 0xfffb_d000
  private static let identityMapAddress: UInt64 = 0xfffb_c000

  /// Makes the two 8259 and the I/O APIC, and gives each vCPU made from here a local APIC. Halts are waited out in the kernel then.
  public func createInterruptControllers() throws(KVMError) {
    let number = descriptor.number
    try seam.call(.setIdentityMap) { ckvm_set_identity_map(number, Self.identityMapAddress) }
    try seam.call(.setTSSAddress) { ckvm_set_tss_address(number, Self.taskStateAddress) }
    try seam.call(.createIRQChip) { ckvm_create_irqchip(number) }
  }

  /// Makes the 8254, on line 0. After the interrupt controllers.
  public func createTimer() throws(KVMError) {
    let number = descriptor.number
    try seam.call(.createPIT) { ckvm_create_pit(number) }
  }

  /// Sets the level of an interrupt line. From any thread.
  public func setLine(_ line: Int, _ isUp: Bool) throws(KVMError) {
    let number = descriptor.number
    try seam.call(.setIRQLine, "line \(line)") { ckvm_set_irq_line(number, UInt32(line), isUp ? 1 : 0) }
  }

  // MARK: State

  private static let chipCount: UInt32 = 3

  /// The controllers' state and, where there is one, the timer's; bytes as KVM has them.
  public func saveInterruptState(withTimer: Bool) throws(KVMError) -> [[UInt8]] {
    let number = descriptor.number
    var out: [[UInt8]] = []
    for chip in 0..<Self.chipCount {
      var state = kvm_irqchip()
      state.chip_id = chip
      try seam.call(.getIRQChip) { unsafe ckvm_get_irqchip(number, &state) }
      out.append(StateBytes.of(state))
    }
    var clock = kvm_clock_data()
    try seam.call(.getClock) { unsafe ckvm_get_clock(number, &clock) }
    out.append(StateBytes.of(clock))
    if withTimer {
      var timer = kvm_pit_state2()
      try seam.call(.getPIT) { unsafe ckvm_get_pit(number, &timer) }
      out.append(StateBytes.of(timer))
    }
    return out
  }

  private static func parts(withTimer: Bool) -> [StateBytes.Part] {
    (0..<chipCount).map { StateBytes.Part("interrupt controller \($0)", kvm_irqchip.self) } + [.init("clock", kvm_clock_data.self)]
      + (withTimer ? [.init("timer", kvm_pit_state2.self)] : [])
  }

  /// What keeps parts from being such a state; nil where nothing does that shows without KVM.
  public static func problem(withInterruptState state: [[UInt8]], withTimer: Bool) -> String? {
    if let problem = StateBytes.problem(with: state, parts(withTimer: withTimer)) { return problem }
    for (number, part) in zip(0..<chipCount, state) where StateBytes.value(part, kvm_irqchip())?.chip_id != number {
      return "controllers out of order; expected number \(number)"
    }
    return nil
  }

  /// Puts it back. Of a state that `problem(withInterruptState:withTimer:)` finds nothing wrong with.
  public func restoreInterruptState(_ parts: [[UInt8]], withTimer: Bool) throws(KVMError) {
    precondition(Self.problem(withInterruptState: parts, withTimer: withTimer) == nil, "parts of controllers that were not looked at")
    let number = descriptor.number
    for part in parts.prefix(Int(Self.chipCount)) {
      guard var state = StateBytes.value(part, kvm_irqchip()) else { continue }
      try seam.call(.setIRQChip) { unsafe ckvm_set_irqchip(number, &state) }
    }
    if var clock = StateBytes.value(parts[Int(Self.chipCount)], kvm_clock_data()) {
      try seam.call(.setClock) { unsafe ckvm_set_clock(number, &clock) }
    }
    if withTimer, var timer = parts.last.flatMap({ StateBytes.value($0, kvm_pit_state2()) }) {
      try seam.call(.setPIT) { unsafe ckvm_set_pit(number, &timer) }
    }
  }
}

/// The kernel's structures as bytes.
enum StateBytes {
  /// What a part of a state is, and how many bytes it has.
  struct Part {
    var name: String
    var size: Int

    init<State>(_ name: String, _ type: State.Type) { (self.name, size) = (name, MemoryLayout<State>.size) }
  }

  /// What is wrong with the number or the sizes of parts; nil for nothing.
  static func problem(with state: [[UInt8]], _ parts: [Part]) -> String? {
    guard state.count == parts.count else { return "\(state.count) parts; expected \(parts.count)" }
    guard let wrong = zip(state, parts).first(where: { $0.count != $1.size }) else { return nil }
    return "\(wrong.1.name) of \(wrong.0.count) bytes; expected \(wrong.1.size)"
  }

  static func of<State>(_ state: State) -> [UInt8] {
    // SAFETY: any structure of plain numbers is its bytes.
    unsafe withUnsafeBytes(of: state) { unsafe Array($0) }
  }

  /// Nil where there are more bytes or fewer than the structure has.
  static func value<State>(_ bytes: [UInt8], _ empty: State) -> State? {
    guard bytes.count == MemoryLayout<State>.size else { return nil }
    var state = empty
    // SAFETY: as many bytes as it has, and any bytes are one.
    unsafe withUnsafeMutableBytes(of: &state) { unsafe $0.copyBytes(from: bytes) }
    return state
  }

  /// Structures one after the other; what is left over behind the last one is not looked at.
  static func values<State>(_ bytes: [UInt8], _ empty: State) -> [State] {
    let size = MemoryLayout<State>.size
    return (0..<bytes.count / size).compactMap { value(Array(bytes[$0 * size..<($0 + 1) * size]), empty) }
  }
}
