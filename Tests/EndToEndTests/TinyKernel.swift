/// The smallest kernel: an ELF file of one segment at 1 MiB.
enum TinyKernel {
  /// Says "r" on the serial port and halts for good.
  static let saysR = bytes([0x66, 0xba, 0xf8, 0x03, 0xb0, UInt8(ascii: "r"), 0xee, 0xfa, 0xf4])

  static func bytes(_ code: [UInt8]) -> [UInt8] {
    func word(_ value: UInt64, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }
    let start: UInt64 = 0x10_0000
    let identity: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    let header = identity + word(2, 2) + word(62, 2) + word(1, 4) + word(start, 8) + word(64, 8) + word(0, 8) + word(0, 4) + word(64, 2) + word(56, 2)
      + word(1, 2) + word(64, 2) + word(0, 2) + word(0, 2)
    let size = UInt64(code.count)
    let program = word(1, 4) + word(5, 4) + word(120, 8) + word(start, 8) + word(start, 8) + word(size, 8) + word(size, 8) + word(4096, 8)
    return header + program + code
  }
}
