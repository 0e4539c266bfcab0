import CKVM
import Glibc

/// A virtual CPU. One thread runs it; its registers may be read and set by whoever knows that it is not in `run`.
@safe public struct VCPU: ~Copyable {
  public let id: Int
  let descriptor: OwnedDescriptor
  let seam: KVMSeam
  private let shared: Mapping
  private let ringPages: Mapping?
  /// Its dirty ring, nothing harvested yet; nil where none was enabled. Whoever harvests keeps the copy that knows how far.
  public let dirtyRing: DirtyRing?
  /// Where `setBreakpoints` put some.
  public private(set) var breakpoints: [UInt64] = []

  /// A CPU has so many (`KVM_SET_GUEST_DEBUG`, Documentation/virt/kvm/api.rst).
  public static let breakpointLimit = Int(CKVM_BREAKPOINT_LIMIT)

  /// The offset of the ring in the descriptor's pages (`KVM_DIRTY_LOG_PAGE_OFFSET`).
  private static let ringOffset = 64 * 4096

  static func make(descriptor: consuming OwnedDescriptor, id: Int, mapSize: Int, ringEntries: Int, seam: KVMSeam) throws(KVMError) -> VCPU {
    precondition(mapSize >= MemoryLayout<kvm_run>.size, "the shared page holds a kvm_run")
    let number = descriptor.number
    let shared = try unsafe Mapping(.mapVCPU, size: mapSize, seam) { unsafe ckvm_map_fd(number, mapSize, 0, $0) }
    guard ringEntries > 0 else {
      let vcpu = VCPU(descriptor: descriptor, id: id, shared: shared, ringPages: nil, ringEntries: 0, seam: seam)
      try vcpu.load()
      return vcpu
    }
    let size = ringEntries * MemoryLayout<kvm_dirty_gfn>.stride
    let pages = try unsafe Mapping(.mapDirtyRing, size: size, seam) { unsafe ckvm_map_fd(number, size, Self.ringOffset, $0) }
    let vcpu = VCPU(descriptor: descriptor, id: id, shared: shared, ringPages: pages, ringEntries: ringEntries, seam: seam)
    try vcpu.load()
    return vcpu
  }

  private init(
    descriptor: consuming OwnedDescriptor, id: Int, shared: consuming Mapping, ringPages: consuming Mapping?, ringEntries: Int, seam: KVMSeam
  ) {
    let ringAddress = unsafe ringPages?.address
    // SAFETY: the ring is as long as its mapping.
    dirtyRing = unsafe ringAddress.map { unsafe DirtyRing($0, count: ringEntries) }
    self.descriptor = descriptor
    self.id = id
    self.shared = shared
    self.ringPages = ringPages
    self.seam = seam
    // SAFETY: the mapping is at least a kvm_run, and zeroed by the kernel.
    unsafe ckvm_set_valid_regs(run, UInt64(CKVM_SYNC_REGS | CKVM_SYNC_SREGS | CKVM_SYNC_EVENTS))
  }

  /// The page that it shares with the kernel.
  var run: UnsafeMutablePointer<kvm_run> { unsafe shared.address.assumingMemoryBound(to: kvm_run.self) }

  /// Fills the shared page with the registers that the kernel has, so that it holds them before the first run too.
  func load() throws(KVMError) {
    let number = descriptor.number
    // SAFETY: the pointers are into the shared page.
    try seam.call(.getRegisters) { unsafe ckvm_get_regs(number, ckvm_sync_regs(run)) }
    try seam.call(.getSystemRegisters) { unsafe ckvm_get_sregs(number, ckvm_sync_sregs(run)) }
    try seam.call(.getEvents) { unsafe ckvm_get_vcpu_events(number, ckvm_sync_events(run)) }
  }

  // MARK: Running

  /// Executes guest code until something needs the host. Never tried again by itself: an interrupted call is an exit too.
  public func enter() throws(KVMError) -> VMExit {
    let number = descriptor.number
    let result = seam.perform(.run) { ckvm_run(number) }
    // EAGAIN: another vCPU has started it, or is to start it yet.
    if result == -EINTR || result == -EAGAIN { return .interrupted }
    guard result >= 0 else { throw KVMError(.run, errno: -result, detail: "vCPU \(id)") }
    var raw = ckvm_exit()
    // SAFETY: both structures live through the call.
    unsafe ckvm_read_exit(run, &raw)
    return VMExit(raw)
  }

  /// Finishes the instruction of the last exit without executing another one. Gives `.interrupted` once it is finished, and the next part
  /// where it has one (a store of more than 8 bytes). After this the registers are past the instruction.
  public func complete() throws(KVMError) -> VMExit {
    setImmediateExit(true)
    defer { setImmediateExit(false) }
    return try enter()
  }

  /// Makes the next `enter` come back at once, and one under way too once its thread is signalled. From any thread.
  public func setImmediateExit(_ wanted: Bool) {
    // SAFETY: a store to the shared page, atomic and followed by a release fence.
    unsafe ckvm_set_immediate_exit(run, wanted ? 1 : 0)
  }

  /// Answers a read exit, each element with `value`'s low bytes.
  public func answerRead(_ value: UInt64) {
    // SAFETY: the shared page holds the exit.
    unsafe ckvm_answer_read(run, value)
  }

  /// With it, every `enter` ends after one instruction with `VMExit.debug`, unless it ends with something else.
  public mutating func setSingleStep(_ wanted: Bool) throws(KVMError) {
    // No breakpoints meanwhile: they would come before the instruction that they are on, again and again.
    try setGuestDebug(steps: wanted, breakpoints: wanted ? [] : breakpoints)
  }

  /// Makes `enter` end with `VMExit.debug` before the instructions at these guest-virtual addresses, at most `breakpointLimit`, by the CPU's own debug
  /// registers: memory stays as it is. The guest's use of them is put aside meanwhile.
  public mutating func setBreakpoints(_ addresses: [UInt64]) throws(KVMError) {
    guard addresses != breakpoints else { return }
    try setGuestDebug(steps: false, breakpoints: addresses)
    breakpoints = addresses
  }

  private func setGuestDebug(steps: Bool, breakpoints: [UInt64]) throws(KVMError) {
    let number = descriptor.number
    try seam.call(.setGuestDebug, "vCPU \(id)") {
      // SAFETY: as many addresses as are said.
      unsafe breakpoints.withUnsafeBufferPointer { unsafe ckvm_set_guest_debug(number, steps ? 1 : 0, $0.baseAddress, UInt32($0.count)) }
    }
  }

  // MARK: Interrupts

  /// Whether an ordinary interrupt could be queued now.
  public var canTakeInterrupt: Bool {
    // SAFETY: reads of the shared page.
    let events = unsafe ckvm_sync_events(run).pointee
    let flags = unsafe ckvm_sync_regs(run).pointee.rflags
    return flags & 0x200 != 0 && events.interrupt.shadow == 0 && events.interrupt.injected == 0 && events.exception.injected == 0
  }

  /// Whether an interrupt or an exception is queued that the guest has not been given yet.
  public var hasQueuedEvent: Bool {
    // SAFETY: a read of the shared page.
    let events = unsafe ckvm_sync_events(run).pointee
    return events.interrupt.injected != 0 || events.exception.injected != 0 || events.exception.pending != 0 || events.nmi.injected != 0
  }

  /// Queues an interrupt, to be delivered through the guest's IDT at the next run.
  public func inject(vector: UInt8) throws(KVMError) {
    let number = descriptor.number
    try seam.call(.interrupt, "vCPU \(id), vector \(vector)") { ckvm_interrupt(number, UInt32(vector)) }
    // The shared page follows, so that a saved state holds the interrupt, and no second one is queued over it.
    // SAFETY: stores to the shared page, which the kernel rewrites at the next run.
    unsafe ckvm_sync_events(run).pointee.interrupt.injected = 1
    unsafe ckvm_sync_events(run).pointee.interrupt.nr = vector
  }

  /// Asks for an exit as soon as the guest can take an interrupt.
  public func setWantsInterruptWindow(_ wanted: Bool) {
    // SAFETY: a store to the shared page.
    unsafe ckvm_request_interrupt_window(run, wanted ? 1 : 0)
  }

  // MARK: Translation

  /// The guest-physical address of a guest-virtual one; nil where nothing is mapped there.
  public func translate(_ linear: UInt64) throws(KVMError) -> UInt64? {
    let number = descriptor.number
    // Those that were set since the last run decide where the page tables are: KVM is given them now, and once more then.
    // SAFETY: the shared page outlives the calls.
    if unsafe ckvm_dirty_regs(run) & UInt64(CKVM_SYNC_SREGS) != 0 {
      try seam.call(.setSystemRegisters) { unsafe ckvm_set_sregs(number, ckvm_sync_sregs(run)) }
    }
    var physical: UInt64 = 0
    let result = seam.perform(.translate) { unsafe ckvm_translate(number, linear, &physical) }
    if result == -EFAULT { return nil }
    guard result >= 0 else { throw KVMError(.translate, errno: -result, detail: "0x\(String(linear, radix: 16))") }
    return physical
  }
}
