/// An instruction's opcode and operand, as far as the ones that are finished here go.
struct Encoding {
  private(set) var opcode: [UInt8] = []
  /// The middle bits of ModRM, which go on with the opcode.
  private(set) var `extension`: UInt8 = 0
  /// ModRM, 0 where there is none.
  private(set) var modRM: UInt8 = 0
  /// Memory; nil where there is none.
  private(set) var operand: Operand?
  /// 66, f2 or f3: another instruction.
  private(set) var hasPrefix = false
  private(set) var length = 0

  init?(_ bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    var (base, rex): (Operand.SegmentBase, UInt8) = (.none, 0)
    prefixes: while let byte = reader.peek {
      switch byte {
      case 0x64: base = .fs
      case 0x65: base = .gs
      // These segments start at 0 in 64-bit mode.
      case 0x26, 0x2e, 0x36, 0x3e: break
      case 0x66, 0xf2, 0xf3: hasPrefix = true
      default: break prefixes
      }
      _ = reader.next()
    }
    if let byte = reader.peek, byte & 0xf0 == 0x40 {
      rex = byte
      _ = reader.next()
    }
    guard let first = reader.next() else { return nil }
    opcode = [first]
    if first == 0x0f {
      guard let second = reader.next() else { return nil }
      opcode.append(second)
    }
    if Self.hasModRM(opcode) {
      guard let byte = reader.next() else { return nil }
      modRM = byte
      `extension` = byte >> 3 & 7
      if byte >> 6 != 3 {
        guard let found = Operand(modRM: byte, rex: rex, base: base, &reader) else { return nil }
        operand = found
      }
    }
    length = reader.position
  }

  /// Of those that are known here.
  private static func hasModRM(_ opcode: [UInt8]) -> Bool {
    opcode == [0x0f, 0xae] || opcode.count == 1 && (0xd8...0xdf).contains(opcode[0])
  }
}

/// Bytes, one after the other.
struct ByteReader {
  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func next() -> UInt8? {
    guard let byte = peek else { return nil }
    position += 1
    return byte
  }

  /// A little-endian number that is extended by its sign; nil where the bytes end before.
  mutating func signed(_ count: Int) -> Int64? {
    var value: UInt64 = 0
    for index in 0..<count {
      guard let byte = next() else { return nil }
      value |= UInt64(byte) << UInt64(8 * index)
    }
    let shift = UInt64(64 - 8 * count)
    return Int64(bitPattern: value << shift) >> Int64(shift)
  }
}
