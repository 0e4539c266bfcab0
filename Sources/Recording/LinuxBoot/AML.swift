/// Terms of ACPI's machine language (ACPI 6.5, section 20.2) and resource descriptors (section 6.4), each as its bytes.
enum AML {
  private enum Opcode {
    static let name: UInt8 = 0x08
    static let byte: UInt8 = 0x0a
    static let word: UInt8 = 0x0b
    static let doubleWord: UInt8 = 0x0c
    static let scope: UInt8 = 0x10
    static let buffer: UInt8 = 0x11
    static let package: UInt8 = 0x12
    static let device: [UInt8] = [0x5b, 0x82]
  }

  // MARK: Named objects

  static func name(_ name: String, _ value: [UInt8]) -> [UInt8] { [Opcode.name] + nameString(name) + value }

  static func scope(_ name: String, _ terms: [UInt8]...) -> [UInt8] { [Opcode.scope] + counted(nameString(name) + terms.joined()) }

  static func device(_ name: String, _ terms: [UInt8]...) -> [UInt8] { Opcode.device + counted(nameString(name) + terms.joined()) }

  /// One segment, filled up with underscores to four characters (section 20.2.2).
  private static func nameString(_ name: String) -> [UInt8] {
    let segment = Array(name.utf8)
    precondition((1...4).contains(segment.count), "a name of one segment")
    return segment + [UInt8](repeating: UInt8(ascii: "_"), count: 4 - segment.count)
  }

  // MARK: Values

  /// In the shortest form (section 20.2.3). Zero and one are opcodes of their own, of the same value.
  static func integer(_ value: UInt32) -> [UInt8] {
    switch value {
    case 0...1: [UInt8(value)]
    case 2...0xff: [Opcode.byte, UInt8(value)]
    case 0x100...0xffff: [Opcode.word] + littleEndian(UInt64(value), 2)
    default: [Opcode.doubleWord] + littleEndian(UInt64(value), 4)
    }
  }

  static func package(_ elements: [UInt8]...) -> [UInt8] { [Opcode.package] + counted([UInt8(elements.count)] + elements.joined()) }

  /// A Plug and Play ID, three capitals and four hexadecimal digits: five bits a letter, all with the high byte first (section 19.6.36, EISAID).
  static func eisaID(_ id: String) -> [UInt8] {
    let letters = id.utf8.prefix(3).reduce(0 as UInt32) { $0 << 5 | UInt32($1 - 0x40) }
    guard id.utf8.count == 7, let number = UInt32(id.dropFirst(3), radix: 16) else { preconditionFailure("an ID like PNP0501") }
    return integer((letters << 16 | number).byteSwapped)
  }

  // MARK: Resources

  /// What a device takes: descriptors, and the tag that ends them, in a buffer. A checksum of zero is always right (section 6.4.2.9).
  static func resources(_ descriptors: [UInt8]...) -> [UInt8] {
    let bytes = descriptors.joined() + [0x79, 0]
    return [Opcode.buffer] + counted(integer(UInt32(bytes.count)) + bytes)
  }

  /// Ports that all 16 bits of an address are decoded for (section 6.4.2.5).
  static func ports(_ first: UInt16, count: UInt8) -> [UInt8] {
    [0x47, 1] + littleEndian(UInt64(first), 2) + littleEndian(UInt64(first), 2) + [0, count]
  }

  /// An interrupt line as ISA has them: edge-triggered, active high, not shared (section 6.4.2.1).
  static func line(_ number: Int) -> [UInt8] { [0x22] + littleEndian(1 << UInt64(number), 2) }

  // MARK: Lengths

  /// Bytes with their PkgLength before them, which counts itself (section 20.2.4).
  static func counted(_ bytes: [UInt8]) -> [UInt8] {
    if bytes.count + 1 < 1 << 6 { return [UInt8(bytes.count + 1)] + bytes }
    // The first byte says how many follow it, and has the lowest four bits.
    let more = (1...3).first { bytes.count + 1 + $0 < 1 << (4 + 8 * $0) }
    guard let more else { preconditionFailure("a term of up to 256 MiB") }
    let length = bytes.count + 1 + more
    return [UInt8(more << 6 | length & 0xf)] + littleEndian(UInt64(length >> 4), more) + bytes
  }
}
