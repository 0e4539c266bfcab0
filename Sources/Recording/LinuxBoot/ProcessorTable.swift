/// The tables by which a PC tells of its processors and interrupt lines (Intel, MultiProcessor Specification 1.4): a pointer that is found by its
/// signature, and behind it the configuration.
enum ProcessorTable {
  static let interruptController: UInt64 = 0xfec0_0000
  static let localController: UInt64 = 0xfee0_0000
  private static let lineCount = 16
  /// In the version that KVM's local and I/O controllers report.
  private static let localVersion: UInt8 = 0x14
  private static let controllerVersion: UInt8 = 0x11

  /// For an address that is a multiple of 16, between 0xf0000 and 0xfffff.
  static func bytes(at gpa: UInt64, vcpuCount: Int) -> [UInt8] {
    var pointer = Array("_MP_".utf8) + littleEndian(gpa + 16, 4) + [1, 4, 0, 0, 0, 0, 0, 0]
    pointer[10] = checksum(pointer)
    return pointer + configuration(vcpuCount)
  }

  private static func configuration(_ vcpuCount: Int) -> [UInt8] {
    // The I/O controller's number follows the processors'.
    let controller = UInt8(vcpuCount)
    var entries: [[UInt8]] = (0..<vcpuCount).map { number in
      // Usable, and the first one starts the others. Family 6; an on-chip controller and an FPU.
      [0, UInt8(number), localVersion, number == 0 ? 3 : 1] + littleEndian(0x600, 4) + littleEndian(0x201, 4) + littleEndian(0, 8)
    }
    entries.append([1, 0] + Array("ISA   ".utf8))
    entries.append([2, controller, controllerVersion, 1] + littleEndian(interruptController, 4))
    // KVM connects line n of both kinds of controller alike.
    entries += (0..<lineCount).map { [3, 0, 0, 0, 0, UInt8($0), controller, UInt8($0)] }
    // The old controllers' output, and NMI, at every processor's local lines 0 and 1.
    entries.append([4, 3, 0, 0, 0, 0, 0xff, 0])
    entries.append([4, 1, 0, 0, 0, 0, 0xff, 1])
    let body = Array(entries.joined())
    var header = Array("PCMP".utf8) + littleEndian(UInt64(44 + body.count), 2) + [4, 0]
    header += Array("PAGETAPE".utf8) + Array("VIRTUAL PC  ".utf8) + littleEndian(0, 4) + littleEndian(0, 2)
    header += littleEndian(UInt64(entries.count), 2) + littleEndian(localController, 4) + littleEndian(0, 4)
    var table = header + body
    table[7] = checksum(table)
    return table
  }

  /// What makes all bytes add up to 0.
  static func checksum(_ bytes: [UInt8]) -> UInt8 { 0 &- bytes.reduce(0, &+) }
}
