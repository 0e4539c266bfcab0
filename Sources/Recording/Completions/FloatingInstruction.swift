/// The x87 and MMX instructions that a kernel uses to put the unit in order (Intel SDM volume 1, chapter 8).
public enum FloatingInstruction: Hashable, Sendable {
  /// `fwait`
  case wait
  /// `fninit`
  case initialize
  /// `fnclex`
  case clearExceptions
  /// `emms`: every register is empty.
  case empty
  /// `fild`, of 4 bytes.
  case loadInteger(Operand)

  init?(_ code: Encoding) {
    guard !code.hasPrefix else { return nil }
    switch (code.opcode, code.modRM) {
    case ([0x9b], _): self = .wait
    case ([0x0f, 0x77], _): self = .empty
    case ([0xdb], 0xe2): self = .clearExceptions
    case ([0xdb], 0xe3): self = .initialize
    case ([0xdb], _):
      guard let operand = code.operand, code.extension == 0 else { return nil }
      self = .loadInteger(operand)
    default: return nil
    }
  }

  /// False where the processor would raise an exception, or memory is not there.
  func carryOut(on state: inout ProcessorState, read: (_ address: UInt64, _ count: Int) -> [UInt8]?) -> Bool {
    switch self {
    case .wait: return !state.floating.hasUnmaskedException
    case .initialize:
      state.floating.control = 0x37f
      state.floating.status = 0
      state.floating.tags = 0
      state.floating.clearPointers()
    case .clearExceptions: state.floating.status &= 0x7f00
    case .empty:
      guard !state.floating.hasUnmaskedException else { return false }
      state.floating.top = 0
      state.floating.tags = 0
    case .loadInteger(let operand):
      guard !state.floating.hasUnmaskedException, let bytes = read(operand.address(state), 4) else { return false }
      let value = Int32(bitPattern: bytes.enumerated().reduce(0) { $0 | UInt32($1.element) << UInt32(8 * $1.offset) })
      // C1 is cleared. Where the stack is full the processor would put a NaN there and say so: that is left.
      state.floating.status &= ~0x200
      let (significand, exponent) = Self.extended(value)
      return state.floating.push(significand: significand, exponent: exponent)
    }
    return true
  }

  /// An integer in double extended precision: the first bit of the significand is 1, and the exponent's bias is 16,383.
  private static func extended(_ value: Int32) -> (significand: UInt64, exponent: UInt16) {
    guard value != 0 else { return (0, 0) }
    let magnitude = UInt64(value.magnitude)
    let shift = magnitude.leadingZeroBitCount
    return (magnitude << UInt64(shift), UInt16(16_383 + 63 - shift) | (value < 0 ? 0x8000 : 0))
  }
}
