import X86

/// The descriptors and the registers that the 64-bit entry point asks for (Linux, Documentation/arch/x86/boot.rst, "64-bit Boot Protocol").
enum LinuxTables {
  private static let codeSelector: UInt16 = 0x10
  private static let dataSelector: UInt16 = 0x18

  /// Null, unused, flat 64-bit code at 0x10, flat data at 0x18.
  static let descriptors: [UInt8] = ([0, 0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff] as [UInt64]).flatMap { littleEndian($0, 8) }

  /// Memory from 0 to 4 GiB where it is, the same tables as other guests start with.
  static var contents: [(gpa: UInt64, bytes: [UInt8])] {
    [(BootMemory.pageTables, BootMemory.pageTableBytes), (LinuxMap.descriptors, descriptors)]
  }

  /// Interrupts off, RSI at the zero page.
  static func bootState(entry: UInt64, ramBytes: UInt64) -> BootState {
    var state = BootState(vcpu: 0, vcpuCount: 1, entry: entry, argument: 0, ramBytes: ramBytes)
    state.general = GeneralRegisters()
    state.general[.rsi] = LinuxMap.zeroPage
    state.general[.rsp] = LinuxMap.stackTop
    state.code.selector = codeSelector
    state.data.selector = dataSelector
    state.gdt = DescriptorTableRegister(base: LinuxMap.descriptors, limit: UInt16(descriptors.count - 1))
    return state
  }
}
