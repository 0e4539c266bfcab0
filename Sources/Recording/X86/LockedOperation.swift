/// An instruction that reads, changes and writes memory in one locked step: decoded, not yet matched to a write.
struct LockedOperation: Hashable, Sendable {
  enum Kind: UInt8, Hashable, Sendable {
    // The raw values of the first seven are the numbers that opcodes give them.
    case add = 0, or, adc, sbb, and, sub, xor
    case increment, decrement, not, negate
    case exchange, exchangeAdd, compareExchange, compareExchangeDouble
    case bitSet, bitReset, bitComplement

    var isBitOperation: Bool { self == .bitSet || self == .bitReset || self == .bitComplement }
  }

  enum Source: Hashable, Sendable {
    case none
    case register(RegisterOperand)
    case immediate(UInt64)
  }

  var kind: Kind
  var size: OperandSize
  var source: Source
  var address: AddressOperand

  /// The value of the second operand, from the registers before the instruction.
  func sourceValue(_ registers: GeneralRegisters) -> UInt64 {
    switch source {
    case .none: 0
    case .register(let operand): operand.read(registers, size)
    case .immediate(let value): value & size.mask
    }
  }

  /// The address that it writes: a bit string's is moved by whole operands where a register says which bit.
  func linearAddress(_ registers: GeneralRegisters, _ write: LockedInstruction.Write) -> UInt64 {
    var displacement: UInt64 = 0
    if kind.isBitOperation, case .register = source {
      let offset = Int64(bitPattern: size.signExtended(sourceValue(registers)))
      displacement = UInt64(bitPattern: offset >> 3) & ~UInt64(size.bytes - 1)
    }
    return address.linear(registers, rip: write.rip, fsBase: write.fsBase, gsBase: write.gsBase, plus: displacement)
  }
}

/// The memory operand of a ModR/M byte in 64-bit mode.
struct AddressOperand: Hashable, Sendable {
  enum Segment: Hashable, Sendable { case flat, fs, gs }

  var base: Int?
  var index: Int?
  var scale: UInt64 = 0
  var displacement: Int64 = 0
  var isRelative = false
  var is32Bit = false
  var segment = Segment.flat

  func linear(_ registers: GeneralRegisters, rip: UInt64, fsBase: UInt64, gsBase: UInt64, plus extra: UInt64) -> UInt64 {
    var address = UInt64(bitPattern: displacement) &+ extra
    if let base { address &+= registers[number: base] }
    if let index { address &+= registers[number: index] << scale }
    if isRelative { address &+= rip }
    if is32Bit { address &= 0xffff_ffff }
    switch segment {
    case .flat: return address
    case .fs: return address &+ fsBase
    case .gs: return address &+ gsBase
    }
  }

  func uses(_ register: GeneralRegisters.Name) -> Bool { base == register.rawValue || index == register.rawValue }
}
