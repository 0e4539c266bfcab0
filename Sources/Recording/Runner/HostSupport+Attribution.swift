import KVM
import TraceEvents
import X86

extension HostSupport {
  /// Stores twice to one page and halts: a host that logs every write leaves two entries, one that logs the first leaves one.
  private static let twoStores: [UInt8] = [
    0x88, 0x04, 0x25, 0x00, 0x90, 0x00, 0x00,  // mov %al, 0x9000
    0x88, 0x04, 0x25, 0x00, 0x90, 0x00, 0x00,  // mov %al, 0x9000
    0xf4,  // hlt
  ]
  private static let codeAddress: UInt64 = 0x8000
  private static let memorySize = 0x10000

  /// Tries what an entry of the dirty ring means here, in a machine made for this.
  static func probeAttribution(_ system: borrowing System) throws(KVMError) -> WriteAttribution {
    let memory = try GuestMemory(size: memorySize, seam: system.seam)
    var machine = try system.createVirtualMachine()
    try machine.enableDirtyRings(entries: 1024, acquireRelease: try system.check(.dirtyRingAcquireRelease) > 0)
    for (gpa, bytes) in BootMemory.contents { memory.write(bytes, at: gpa) }
    memory.write(twoStores, at: codeAddress)
    try machine.add(MemorySlot(number: 0, gpa: 0, size: UInt64(memorySize), address: memory.address, logsDirtyPages: true))
    let vcpu = try machine.createVCPU(id: 0)
    let state = BootState(vcpu: 0, vcpuCount: 1, entry: codeAddress, argument: 0, ramBytes: UInt64(memorySize))
    var registers = vcpu.systemRegisters
    registers.load(state)
    vcpu.setSystemRegisters(registers)
    vcpu.setRegisters(Registers(state))
    var entries = 0
    var ring = vcpu.dirtyRing
    // A signal meant for somebody else may bring it out early.
    for _ in 0..<1000 {
      let exit = try vcpu.enter()
      _ = ring?.harvest(full: false) { _, page in entries += page == 9 ? 1 : 0 }
      if exit == .halt { return entries >= 2 ? .everyWrite : .firstWriter }
      guard exit == .interrupted else { throw KVMError(.run, errno: 0, detail: "the first instructions of a guest ended with \(exit)") }
    }
    throw KVMError(.run, errno: 0, detail: "the first instructions of a guest never finished")
  }
}
