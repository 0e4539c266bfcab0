import X86

/// A locked instruction as a test writes it: assembled here, independently of the decoder.
struct TestInstruction {
  enum Operation: CaseIterable {
    case add, or, adc, sbb, and, sub, xor
    case addImmediate8, adcImmediate8, andImmediate8, subImmediate8, orImmediate32, xorImmediate32, sbbImmediate32
    case increment, decrement, not, negate
    case exchange, exchangeAdd, compareExchange
    case bitSet, bitReset, bitComplement, bitSetImmediate, bitResetImmediate, bitComplementImmediate
  }

  var operation: Operation
  /// 1, 2, 4 or 8 bytes; bit operations have no 1.
  var size: Int
  var register: Int
  var base: Int
  var index: Int?
  var scale = 0
  var displacement: Int32 = 0
  var immediate: Int32 = 0

  var isBitOperation: Bool {
    [.bitSet, .bitReset, .bitComplement, .bitSetImmediate, .bitResetImmediate, .bitComplementImmediate].contains(operation)
  }

  var takesRegister: Bool { opcodeDigit == nil }

  var definedFlags: UInt64 {
    switch operation {
    case .or, .and, .xor, .andImmediate8, .orImmediate32, .xorImmediate32: 0x8c5
    case .increment, .decrement: 0x8d4
    case .not, .exchange: 0
    case _ where isBitOperation: 0x1
    default: 0x8d5
    }
  }

  /// The opcode's extension in ModR/M, nil where that field is a register.
  private var opcodeDigit: UInt8? {
    switch operation {
    case .addImmediate8, .increment: 0
    case .orImmediate32, .decrement: 1
    case .adcImmediate8, .not: 2
    case .sbbImmediate32, .negate: 3
    case .andImmediate8: 4
    case .subImmediate8, .bitSetImmediate: 5
    case .xorImmediate32, .bitResetImmediate: 6
    case .bitComplementImmediate: 7
    default: nil
    }
  }

  private var opcode: [UInt8] {
    let wide: UInt8 = size == 1 ? 0 : 1
    return switch operation {
    case .add: [0x00 | wide]
    case .or: [0x08 | wide]
    case .adc: [0x10 | wide]
    case .sbb: [0x18 | wide]
    case .and: [0x20 | wide]
    case .sub: [0x28 | wide]
    case .xor: [0x30 | wide]
    case .addImmediate8, .adcImmediate8, .andImmediate8, .subImmediate8: [size == 1 ? 0x80 : 0x83]
    case .orImmediate32, .xorImmediate32, .sbbImmediate32: [0x80 | wide]
    case .increment, .decrement: [0xfe | wide]
    case .not, .negate: [0xf6 | wide]
    case .exchange: [0x86 | wide]
    case .exchangeAdd: [0x0f, 0xc0 | wide]
    case .compareExchange: [0x0f, 0xb0 | wide]
    case .bitSet: [0x0f, 0xab]
    case .bitReset: [0x0f, 0xb3]
    case .bitComplement: [0x0f, 0xbb]
    case .bitSetImmediate, .bitResetImmediate, .bitComplementImmediate: [0x0f, 0xba]
    }
  }

  private var immediateSize: Int {
    switch operation {
    case .addImmediate8, .adcImmediate8, .andImmediate8, .subImmediate8: 1
    case .bitSetImmediate, .bitResetImmediate, .bitComplementImmediate: 1
    case .orImmediate32, .xorImmediate32, .sbbImmediate32: min(size, 4)
    default: 0
    }
  }

  /// XCHG locks by itself: it is assembled without the prefix.
  var code: [UInt8] {
    let field = opcodeDigit ?? UInt8(register & 7)
    var rex: UInt8 = size == 8 ? 0x48 : 0
    if takesRegister && register >= 8 { rex |= 0x44 }
    if takesRegister && size == 1 && register >= 4 { rex |= 0x40 }
    if base >= 8 { rex |= 0x41 }
    if let index, index >= 8 { rex |= 0x42 }
    var code: [UInt8] = operation == .exchange ? [] : [0xf0]
    if size == 2 { code.append(0x66) }
    if rex != 0 { code.append(rex) }
    code += opcode
    let short = Int8(exactly: displacement) != nil
    let mode: UInt8 = short ? 0x40 : 0x80
    if let index {
      code += [mode | field << 3 | 4, UInt8(scale << 6) | UInt8(index & 7) << 3 | UInt8(base & 7)]
    } else if base & 7 == 4 {
      code += [mode | field << 3 | 4, 0x20 | UInt8(base & 7)]
    } else {
      code.append(mode | field << 3 | UInt8(base & 7))
    }
    for byte in 0..<(short ? 1 : 4) { code.append(UInt8(truncatingIfNeeded: displacement >> (8 * byte))) }
    for byte in 0..<immediateSize { code.append(UInt8(truncatingIfNeeded: immediate >> (8 * byte))) }
    return code
  }
}
