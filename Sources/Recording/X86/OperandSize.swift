/// The size of an operand, with the arithmetic that depends on it.
struct OperandSize: Hashable, Sendable {
  /// 1, 2, 4 or 8.
  let bytes: Int

  var bits: UInt64 { UInt64(bytes * 8) }
  var mask: UInt64 { bytes == 8 ? .max : (1 << bits) - 1 }
  var signBit: UInt64 { 1 << (bits - 1) }

  func signExtended(_ value: UInt64) -> UInt64 {
    value & signBit == 0 ? value & mask : value | ~mask
  }
}

/// A general register as an operand of some size: AH to BH are the second byte of the first four registers.
struct RegisterOperand: Hashable, Sendable {
  var number: Int
  var isHighByte: Bool

  /// The register that a 3-bit field and its REX extension name.
  init(field: UInt8, extended: Bool, hasRex: Bool, size: OperandSize) {
    isHighByte = size.bytes == 1 && !hasRex && field >= 4
    number = isHighByte ? Int(field) - 4 : Int(field) + (extended ? 8 : 0)
  }

  init(_ name: GeneralRegisters.Name) {
    number = name.rawValue
    isHighByte = false
  }

  func read(_ registers: GeneralRegisters, _ size: OperandSize) -> UInt64 {
    registers[number: number] >> (isHighByte ? 8 : 0) & size.mask
  }

  /// Writes as the CPU does: 32 bits clear the upper half, 8 and 16 bits leave the rest alone.
  func write(_ value: UInt64, to registers: inout GeneralRegisters, _ size: OperandSize) {
    if size.bytes >= 4 {
      registers[number: number] = value & size.mask
      return
    }
    let shift: UInt64 = isHighByte ? 8 : 0
    registers[number: number] = registers[number: number] & ~(size.mask << shift) | (value & size.mask) << shift
  }
}
