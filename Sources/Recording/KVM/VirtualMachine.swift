import CKVM

/// A memory slot: guest-physical pages backed by pages of this process.
public struct MemorySlot: Hashable, Sendable {
  public var number: UInt32
  public var gpa: UInt64
  /// In bytes, whole pages.
  public var size: UInt64
  /// Where the pages are in this process.
  public var address: UInt64
  /// Writes exit with `VMExit.mmioWrite` instead of happening.
  public var readOnly: Bool
  /// Writes are put in the dirty ring of the vCPU that makes them.
  public var logsDirtyPages: Bool

  public init(number: UInt32, gpa: UInt64, size: UInt64, address: UInt64, readOnly: Bool = false, logsDirtyPages: Bool = false) {
    self.number = number
    self.gpa = gpa
    self.size = size
    self.address = address
    self.readOnly = readOnly
    self.logsDirtyPages = logsDirtyPages
  }
}

/// A virtual machine: its memory slots and its vCPUs.
public struct VirtualMachine: ~Copyable {
  let descriptor: OwnedDescriptor
  let seam: KVMSeam
  let vcpuMapSize: Int
  let cpuid: CPUIDTable
  /// Entries of each vCPU's dirty ring, 0 without one.
  public private(set) var dirtyRingEntries = 0

  init(descriptor: consuming OwnedDescriptor, seam: KVMSeam, vcpuMapSize: Int, cpuid: consuming CPUIDTable) {
    self.descriptor = descriptor
    self.seam = seam
    self.vcpuMapSize = vcpuMapSize
    self.cpuid = cpuid
  }

  /// Gives every vCPU created from here a dirty ring. `acquireRelease` is the form for hosts with weak memory order, and x86 takes it too.
  public mutating func enableDirtyRings(entries: Int, acquireRelease: Bool) throws(KVMError) {
    precondition(entries > 0 && entries & (entries - 1) == 0, "a power of two")
    let number = descriptor.number
    let capability: Capability = acquireRelease ? .dirtyRingAcquireRelease : .dirtyRing
    try seam.call(.enableCapability, "\(capability.name), \(entries) entries") {
      ckvm_enable_cap(number, capability.rawValue, UInt64(entries * MemoryLayout<kvm_dirty_gfn>.stride))
    }
    dirtyRingEntries = entries
  }

  /// Makes an exit for an instruction that KVM cannot emulate carry the instruction.
  public func enableEmulationFailureExits() throws(KVMError) {
    let number = descriptor.number
    let capability = Capability.emulationFailureExit
    try seam.call(.enableCapability, capability.name) { ckvm_enable_cap(number, capability.rawValue, 1) }
  }

  /// Adds a slot.
  public func add(_ slot: MemorySlot) throws(KVMError) {
    let flags: UInt32 = (slot.logsDirtyPages ? 1 : 0) | (slot.readOnly ? 2 : 0)
    try set(slot, size: slot.size, flags: flags)
  }

  /// Deletes a slot. A read-only slot is made from a writable one, and back, by deleting and adding it again.
  public func remove(_ slot: MemorySlot) throws(KVMError) {
    try set(slot, size: 0, flags: 0)
  }

  private func set(_ slot: MemorySlot, size: UInt64, flags: UInt32) throws(KVMError) {
    let number = descriptor.number
    try seam.call(.setMemoryRegion, "slot \(slot.number), \(size) bytes at 0x\(String(slot.gpa, radix: 16))") {
      ckvm_set_user_memory_region(number, slot.number, flags, slot.gpa, size, slot.address)
    }
  }

  public func createVCPU(id: Int) throws(KVMError) -> VCPU {
    let number = descriptor.number
    let vcpu = OwnedDescriptor(try seam.call(.createVCPU, "vCPU \(id)") { ckvm_create_vcpu(number, UInt32(id)) }, seam)
    try cpuid.apply(to: vcpu.number, id: id, seam: seam)
    return try VCPU.make(descriptor: vcpu, id: id, mapSize: vcpuMapSize, ringEntries: dirtyRingEntries, seam: seam)
  }

  /// Makes KVM take back every harvested entry of every ring and watch those pages again. Returns how many it took.
  ///
  /// It stops early where a signal is pending; the caller, who knows how many were harvested, calls again.
  public func resetDirtyRings() throws(KVMError) -> Int {
    let number = descriptor.number
    return Int(try seam.call(.resetDirtyRings) { ckvm_reset_dirty_rings(number) })
  }
}
