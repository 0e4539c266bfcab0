extension LockedOperation {
  /// Decodes the bytes as exactly one locked instruction with a memory operand; nil where they are anything else.
  init?(_ code: ArraySlice<UInt8>) {
    var bytes = CodeBytes(code)
    guard let prefixes = Prefixes(&bytes), let opcode = bytes.next() else { return nil }
    let decoded = opcode == 0x0f ? Self.twoByte(&bytes, prefixes) : Self.oneByte(opcode, &bytes, prefixes)
    guard let decoded, bytes.isAtEnd, prefixes.isLocked || decoded.kind == .exchange else { return nil }
    self = decoded
  }

  private static func oneByte(_ opcode: UInt8, _ bytes: inout CodeBytes, _ prefixes: Prefixes) -> LockedOperation? {
    let size = opcode & 1 == 0 ? OperandSize(bytes: 1) : prefixes.operandSize
    switch opcode {
    case 0x00...0x31 where opcode & 6 == 0:
      guard let kind = Kind(rawValue: opcode >> 3), let modrm = ModRM(&bytes, prefixes) else { return nil }
      return LockedOperation(kind: kind, size: size, source: .register(modrm.register(prefixes, size)), address: modrm.address)
    case 0x80, 0x81, 0x83:
      guard let modrm = ModRM(&bytes, prefixes), modrm.field < 7, let kind = Kind(rawValue: modrm.field) else { return nil }
      guard let immediate = bytes.signed(opcode == 0x81 ? min(size.bytes, 4) : 1) else { return nil }
      return LockedOperation(kind: kind, size: size, source: .immediate(UInt64(bitPattern: immediate)), address: modrm.address)
    case 0x86, 0x87:
      guard let modrm = ModRM(&bytes, prefixes) else { return nil }
      return LockedOperation(kind: .exchange, size: size, source: .register(modrm.register(prefixes, size)), address: modrm.address)
    case 0xf6, 0xf7:
      guard let modrm = ModRM(&bytes, prefixes), modrm.field == 2 || modrm.field == 3 else { return nil }
      return LockedOperation(kind: modrm.field == 2 ? .not : .negate, size: size, source: .none, address: modrm.address)
    case 0xfe, 0xff:
      guard let modrm = ModRM(&bytes, prefixes), modrm.field < 2 else { return nil }
      return LockedOperation(kind: modrm.field == 0 ? .increment : .decrement, size: size, source: .none, address: modrm.address)
    default: return nil
    }
  }

  private static func twoByte(_ bytes: inout CodeBytes, _ prefixes: Prefixes) -> LockedOperation? {
    guard let opcode = bytes.next(), let modrm = ModRM(&bytes, prefixes) else { return nil }
    let size = prefixes.operandSize
    let narrow = opcode & 1 == 0 ? OperandSize(bytes: 1) : size
    switch opcode {
    case 0xb0, 0xb1:
      return LockedOperation(kind: .compareExchange, size: narrow, source: .register(modrm.register(prefixes, narrow)), address: modrm.address)
    case 0xc0, 0xc1:
      return LockedOperation(kind: .exchangeAdd, size: narrow, source: .register(modrm.register(prefixes, narrow)), address: modrm.address)
    case 0xab, 0xb3, 0xbb:
      let kind: Kind = opcode == 0xab ? .bitSet : opcode == 0xb3 ? .bitReset : .bitComplement
      return LockedOperation(kind: kind, size: size, source: .register(modrm.register(prefixes, size)), address: modrm.address)
    case 0xba:
      guard modrm.field >= 5, let bit = bytes.next() else { return nil }
      let kind: Kind = modrm.field == 5 ? .bitSet : modrm.field == 6 ? .bitReset : .bitComplement
      return LockedOperation(kind: kind, size: size, source: .immediate(UInt64(bit)), address: modrm.address)
    case 0xc7:
      guard modrm.field == 1 else { return nil }
      return LockedOperation(kind: .compareExchangeDouble, size: OperandSize(bytes: 8), source: .none, address: modrm.address)
    default: return nil
    }
  }
}

/// A cursor over code.
private struct CodeBytes {
  private var rest: ArraySlice<UInt8>

  init(_ code: ArraySlice<UInt8>) { rest = code }

  var isAtEnd: Bool { rest.isEmpty }
  var peek: UInt8? { rest.first }

  mutating func next() -> UInt8? { rest.popFirst() }

  /// A little-endian signed number of 1, 2 or 4 bytes.
  mutating func signed(_ count: Int) -> Int64? {
    var value: UInt64 = 0
    for index in 0..<count {
      guard let byte = next() else { return nil }
      value |= UInt64(byte) << UInt64(8 * index)
    }
    return Int64(bitPattern: OperandSize(bytes: count).signExtended(value))
  }
}

/// Legacy prefixes, in any order, then REX.
private struct Prefixes {
  var isLocked = false
  var hasOperandSize = false
  var hasAddressSize = false
  var segment = AddressOperand.Segment.flat
  var rex: UInt8?

  init?(_ bytes: inout CodeBytes) {
    while let byte = bytes.peek {
      switch byte {
      case 0xf0: isLocked = true
      case 0x66: hasOperandSize = true
      case 0x67: hasAddressSize = true
      case 0x64: segment = .fs
      case 0x65: segment = .gs
      case 0x26, 0x2e, 0x36, 0x3e, 0xf2, 0xf3: break
      case 0x40...0x4f:
        rex = byte
        _ = bytes.next()
        return
      default: return
      }
      _ = bytes.next()
    }
    return nil
  }

  private func rexBit(_ bit: UInt8) -> Bool { rex.map { $0 & bit != 0 } ?? false }
  var extendsRegister: Bool { rexBit(4) }
  var extendsIndex: Bool { rexBit(2) }
  var extendsBase: Bool { rexBit(1) }
  var operandSize: OperandSize { OperandSize(bytes: rexBit(8) ? 8 : hasOperandSize ? 2 : 4) }
}

/// A ModR/M byte that names memory, with its SIB byte and displacement.
private struct ModRM {
  /// The middle field: a register, or more of the opcode.
  var field: UInt8
  var address: AddressOperand

  init?(_ bytes: inout CodeBytes, _ prefixes: Prefixes) {
    guard let byte = bytes.next(), byte < 0xc0 else { return nil }
    field = byte >> 3 & 7
    address = AddressOperand()
    address.is32Bit = prefixes.hasAddressSize
    address.segment = prefixes.segment
    let mode = byte >> 6
    var displacementSize = mode == 1 ? 1 : mode == 2 ? 4 : 0
    if byte & 7 == 4 {
      guard let sib = bytes.next() else { return nil }
      let index = Int(sib >> 3 & 7) + (prefixes.extendsIndex ? 8 : 0)
      address.index = index == 4 ? nil : index
      address.scale = UInt64(sib >> 6)
      if sib & 7 == 5 && mode == 0 {
        displacementSize = 4
      } else {
        address.base = Int(sib & 7) + (prefixes.extendsBase ? 8 : 0)
      }
    } else if byte & 7 == 5 && mode == 0 {
      displacementSize = 4
      address.isRelative = true
    } else {
      address.base = Int(byte & 7) + (prefixes.extendsBase ? 8 : 0)
    }
    guard displacementSize > 0 else { return }
    guard let displacement = bytes.signed(displacementSize) else { return nil }
    address.displacement = displacement
  }

  func register(_ prefixes: Prefixes, _ size: OperandSize) -> RegisterOperand {
    RegisterOperand(field: field, extended: prefixes.extendsRegister, hasRex: prefixes.rex != nil, size: size)
  }
}
