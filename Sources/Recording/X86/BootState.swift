/// The registers that a vCPU starts with: 64-bit long mode, flat, interrupts off (see `pagetape_abi.h`, "Start").
public struct BootState: Hashable, Sendable {
  public var general: GeneralRegisters
  public var rip: UInt64
  public var rflags: UInt64
  public var cr0: UInt64
  public var cr3: UInt64
  public var cr4: UInt64
  public var efer: UInt64
  public var code: SegmentRegister
  /// SS, DS, ES, FS and GS.
  public var data: SegmentRegister
  public var task: SegmentRegister
  public var localTable: SegmentRegister
  public var gdt: DescriptorTableRegister
  /// Limit 0: the guest sets its own up.
  public var idt: DescriptorTableRegister

  /// `argument` is bytes of RAM for vCPU 0, and what the starter passed for the others.
  public init(vcpu: Int, vcpuCount: Int, entry: UInt64, argument: UInt64, ramBytes: UInt64) {
    general = GeneralRegisters()
    general[.rdi] = UInt64(vcpu)
    general[.rsi] = UInt64(vcpuCount)
    general[.rdx] = argument
    general[.rsp] = BootMemory.stackTop(vcpu: vcpu, ramBytes: ramBytes)
    rip = entry
    rflags = 0x2
    cr0 = 0x8005_0033  // PG, AM, WP, NE, ET, MP, PE
    cr3 = BootMemory.pageTables
    cr4 = 0x620  // OSXMMEXCPT, OSFXSR, PAE
    efer = 0x500  // LMA, LME
    code = .flatCode
    data = .flatData
    task = .unusedTask
    localTable = .unusedLocalTable
    gdt = DescriptorTableRegister(base: BootMemory.globalDescriptors, limit: UInt16(BootMemory.globalDescriptorBytes.count - 1))
    idt = DescriptorTableRegister(base: 0, limit: 0)
  }
}
