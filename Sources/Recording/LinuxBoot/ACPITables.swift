import PCDevices

/// The tables by which a PC tells of its processors, its interrupts, and how to turn it off (ACPI 6.5, section 5.2).
///
/// One piece of memory: the root pointer, and behind it all that it leads to.
enum ACPITables {
  /// The control structure's alignment (section 5.2.10); more than the others ask for.
  private static let alignment = 64

  /// For an address that is a multiple of 64, and where a kernel looks for the pointer: between 0xe0000 and 0xfffff (section 5.2.5.1).
  static func bytes(at gpa: UInt64, vcpuCount: Int) -> [UInt8] {
    precondition(gpa % UInt64(alignment) == 0, "an aligned address")
    // The pointer comes first, and is made last.
    var out = [UInt8](repeating: 0, count: alignment)
    func place(_ table: [UInt8]) -> UInt64 {
      let address = gpa + UInt64(out.count)
      out += table + [UInt8](repeating: 0, count: (alignment - table.count % alignment) % alignment)
      return address
    }
    let control = place(firmwareControl)
    let definitions = place(differentiated)
    let fixed = place(fixedDescription(control: control, definitions: definitions))
    let interrupts = place(multipleAPIC(vcpuCount))
    let root = place(table("XSDT", revision: 1, littleEndian(fixed, 8) + littleEndian(interrupts, 8)))
    let pointer = rootPointer(root)
    out.replaceSubrange(0..<pointer.count, with: pointer)
    return out
  }

  // MARK: Tables

  private static let oemID = Array("PGTAPE".utf8)
  private static let oemTableID = Array("PAGETAPE".utf8)
  private static let creatorID = Array("PGTP".utf8)

  /// A table with the header that all but the pointer and the control structure have (section 5.2.6).
  private static func table(_ signature: String, revision: UInt8, _ body: [UInt8]) -> [UInt8] {
    var table = Array(signature.utf8) + littleEndian(UInt64(headerSize + body.count), 4) + [revision, 0]
    table += oemID + oemTableID + littleEndian(1, 4) + creatorID + littleEndian(1, 4) + body
    table[9] = ProcessorTable.checksum(table)
    return table
  }

  private static let headerSize = 36

  /// RSDP (section 5.2.5.3). No address of a table with 32-bit addresses: kernels of 64 bits read the other.
  private static func rootPointer(_ root: UInt64) -> [UInt8] {
    var pointer = Array("RSD PTR ".utf8) + [0] + oemID + [2] + littleEndian(0, 4)
    pointer[8] = ProcessorTable.checksum(pointer)
    pointer += littleEndian(36, 4) + littleEndian(root, 8) + [0, 0, 0, 0]
    pointer[32] = ProcessorTable.checksum(pointer)
    return pointer
  }

  /// FACS (section 5.2.10): the global lock, for firmware that there is none of.
  private static var firmwareControl: [UInt8] {
    var table = Array("FACS".utf8) + littleEndian(64, 4) + [UInt8](repeating: 0, count: 56)
    // Version 2: from ACPI 4.0 on.
    table[32] = 2
    return table
  }

  /// FADT (section 5.2.9), by offsets in the table. What is not set is zero: there is no mode without ACPI to leave, no event but the fixed ones.
  private static func fixedDescription(control: UInt64, definitions: UInt64) -> [UInt8] {
    var body = [UInt8](repeating: 0, count: 276 - headerSize)
    func put(_ value: some BinaryInteger, _ count: Int, at offset: Int) {
      body.replaceSubrange(offset - headerSize..<offset - headerSize + count, with: littleEndian(UInt64(value), count))
    }
    func put(_ address: GenericAddress, at offset: Int) { body.replaceSubrange(offset - headerSize..<offset - headerSize + 12, with: address.bytes) }
    put(control, 4, at: 36)
    put(definitions, 4, at: 40)
    put(PowerManagement.line, 2, at: 46)
    put(PowerManagement.eventPort, 4, at: 56)
    put(PowerManagement.controlPort, 4, at: 64)
    put(PowerManagement.timerPort, 4, at: 76)
    put(PowerManagement.eventLength, 1, at: 88)
    put(PowerManagement.controlLength, 1, at: 89)
    put(PowerManagement.timerLength, 1, at: 91)
    // P_LVL2_LAT and P_LVL3_LAT: longer than states C2 and C3 may take, so there are none.
    put(101, 2, at: 96)
    put(1001, 2, at: 98)
    put(RealTimeClock.centuryIndex, 1, at: 108)
    put(BootArchitecture.all, 2, at: 109)
    put(Feature.all, 4, at: 112)
    put(GenericAddress(ResetControl.port, length: 1, access: .byte), at: 116)
    put(ResetControl.hardReset, 1, at: 128)
    // ACPI 6.5.
    put(5, 1, at: 131)
    put(definitions, 8, at: 140)
    put(GenericAddress(PowerManagement.eventPort, length: PowerManagement.eventLength, access: .word), at: 148)
    put(GenericAddress(PowerManagement.controlPort, length: PowerManagement.controlLength, access: .word), at: 172)
    put(GenericAddress(PowerManagement.timerPort, length: PowerManagement.timerLength, access: .doubleWord), at: 208)
    return table("FACP", revision: 6, body)
  }

  /// A register in I/O space (section 5.2.3.2).
  private struct GenericAddress {
    enum Access: UInt8 { case byte = 1, word, doubleWord }
    let bytes: [UInt8]

    init(_ port: UInt16, length: UInt8, access: Access) { bytes = [1, length * 8, 0, access.rawValue] + littleEndian(UInt64(port), 8) }
  }

  /// IAPC_BOOT_ARCH (section 5.2.9.3): devices on ISA; neither VGA nor message-signalled interrupts; and no 8042, for the keyboard controller only resets.
  private enum BootArchitecture {
    static let legacyDevices: UInt16 = 1 << 0
    static let noVGA: UInt16 = 1 << 2
    static let noMSI: UInt16 = 1 << 3
    static let all = legacyDevices | noVGA | noMSI
  }

  /// The fixed feature flags (section 5.2.9, table 5.10): what a CPU of this kind does, that there are no buttons and no clock that wakes, and what
  /// timer and reset register are like.
  private enum Feature {
    static let cacheFlush: UInt32 = 1 << 0
    static let haltState: UInt32 = 1 << 2
    static let noPowerButton: UInt32 = 1 << 4
    static let noSleepButton: UInt32 = 1 << 5
    static let noClockWake: UInt32 = 1 << 6
    static let timerHas32Bits: UInt32 = 1 << 8
    static let resetRegister: UInt32 = 1 << 10
    static let headless: UInt32 = 1 << 12
    static let all = cacheFlush | haltState | noPowerButton | noSleepButton | noClockWake | timerHas32Bits | resetRegister | headless
  }

  /// MADT (section 5.2.12): a local APIC for each processor, the I/O APIC, and what differs from ISA's lines.
  ///
  /// KVM leads line n to input n of the I/O APIC (`default_routing` in arch/x86/kvm), line 0, which is the timer's, too: nothing to override there.
  private static func multipleAPIC(_ vcpuCount: Int) -> [UInt8] {
    // The old interrupt controllers are there, too (PCAT_COMPAT).
    var body = littleEndian(ProcessorTable.localController, 4) + littleEndian(1, 4)
    // Usable; processor and APIC have the same number.
    for number in 0..<vcpuCount { body += [0, 8, UInt8(number), UInt8(number)] + littleEndian(1, 4) }
    body += [1, 12, 0, 0] + littleEndian(ProcessorTable.interruptController, 4) + littleEndian(0, 4)
    // ISA's line of ACPI's events is triggered by its level, and active high.
    body += [2, 10, 0, UInt8(PowerManagement.line)] + littleEndian(UInt64(PowerManagement.line), 4) + littleEndian(0xd, 2)
    // NMI at every processor's local line 1.
    body += [4, 6, 0xff, 0, 0, 1]
    return table("APIC", revision: 6, body)
  }

  /// DSDT (section 5.2.11.1): how to turn the machine off, and the devices that are found by their IDs. Terms begin in the root.
  private static var differentiated: [UInt8] {
    let off = AML.integer(UInt32(PowerManagement.offType))
    let terms = [
      // Of the sleeping states (section 7.4.2.5) there is one.
      AML.name("_S5", AML.package(off, off, AML.integer(0), AML.integer(0))),
      AML.scope(
        "_SB",
        AML.device(
          "COM1", AML.name("_HID", AML.eisaID("PNP0501")), AML.name("_UID", AML.integer(1)),
          AML.name("_CRS", AML.resources(AML.ports(SerialPort.basePort, count: 8), AML.line(SerialPort.line)))),
        // It raises no interrupt.
        AML.device("RTC", AML.name("_HID", AML.eisaID("PNP0B00")), AML.name("_CRS", AML.resources(AML.ports(RealTimeClock.indexPort, count: 2))))),
    ]
    return table("DSDT", revision: 2, Array(terms.joined()))
  }
}
