extension LockedOperation {
  /// Matches the instruction to a write that it may have made, and computes it anew.
  ///
  /// The exit shows the registers after the instruction, so the state before it is worked out backwards first. What that state makes of
  /// the instruction must be exactly what the exit shows (address, bytes, registers, flags); if not, this was not the instruction.
  func recompute(_ write: LockedInstruction.Write) -> LockedInstruction.Outcome {
    if kind == .compareExchangeDouble {
      return covers(write, linearAddress(write.registers, write), 16) ? .cannot(.doubleWidth) : .notLocked
    }
    guard write.written.count == size.bytes else { return recognizeSplit(write) }
    let written = write.written.littleEndian
    if kind == .compareExchange && write.rflags & StatusFlags.zero.rawValue == 0 {
      return recomputeFailedExchange(write, written)
    }
    let current = write.current.littleEndian
    var results: Set<State> = []
    for before in statesBefore(write, written) where isConsistent(before, write, written) {
      results.insert(execute(State(registers: before.registers, rflags: before.rflags, value: current)))
    }
    guard let after = results.first else { return .notLocked }
    guard results.count == 1 else { return .cannot(.carryUnknown) }
    // What the instruction leaves undefined stays as it came out.
    let defined = definedFlags.rawValue
    return .recomputed(
      bytes: [UInt8](littleEndian: after.value, count: size.bytes), registers: after.registers,
      rflags: write.rflags & ~defined | after.rflags & defined)
  }

  /// A compare-and-exchange that failed only read, and wrote back what it had read. It counts as done when it read: before the other write,
  /// whose value stays. (The accumulator from before it is lost, so it could not be done again.)
  private func recomputeFailedExchange(_ write: LockedInstruction.Write, _ written: UInt64) -> LockedInstruction.Outcome {
    guard RegisterOperand(.rax).read(write.registers, size) == written else { return .notLocked }
    if let previous = write.previous, previous.littleEndian != written { return .notLocked }
    // Where the accumulator is part of the address, that can't be checked.
    guard address.uses(.rax) || isAt(write, write.registers) else { return .notLocked }
    return .recomputed(bytes: write.current, registers: write.registers, rflags: write.rflags)
  }

  /// The states before the instruction that could have led here: one, or two where it took a carry in; none where it can't have been.
  ///
  /// The upper half of a 32-bit destination is lost; it counts as 0 where the register is part of the address (guest memory ends below 4 GiB).
  private func statesBefore(_ write: LockedInstruction.Write, _ written: UInt64) -> [State] {
    var state = State(registers: write.registers, rflags: write.rflags, value: 0)
    let source = sourceValue(write.registers)
    switch kind {
    case .add: state.value = written &- source
    case .sub: state.value = written &+ source
    case .adc, .sbb:
      return [0, 1].map { (carry: UInt64) in
        state.value = (kind == .adc ? written &- source &- carry : written &+ source &+ carry) & size.mask
        state.rflags = write.rflags & ~StatusFlags.carry.rawValue | carry
        return state
      }
    case .xor: state.value = written ^ source
    // Many values lead to the same one. Where the one that was read isn't known, the one written will do: doing either twice is doing it once.
    case .or, .and: state.value = write.previous?.littleEndian ?? written
    case .increment: state.value = written &- 1
    case .decrement: state.value = written &+ 1
    case .not: state.value = ~written
    case .negate: state.value = 0 &- written
    case .exchange, .exchangeAdd:
      guard case .register(let operand) = self.source else { return [] }
      state.value = source
      operand.write(kind == .exchange ? written : written &- source, to: &state.registers, size)
    case .bitSet, .bitReset, .bitComplement:
      let mask: UInt64 = 1 << (source & (size.bits - 1))
      state.value = state.carry ? written | mask : written & ~mask
    case .compareExchange: state.value = RegisterOperand(.rax).read(write.registers, size)
    case .compareExchangeDouble: return []
    }
    state.value &= size.mask
    return [state]
  }

  private func isConsistent(_ before: State, _ write: LockedInstruction.Write, _ written: UInt64) -> Bool {
    guard isAt(write, before.registers) else { return false }
    if let previous = write.previous, previous.littleEndian != before.value { return false }
    let after = execute(before)
    let flags = definedFlags.rawValue
    return after.value == written && after.registers == write.registers && (after.rflags ^ write.rflags) & flags == 0
  }

  private func isAt(_ write: LockedInstruction.Write, _ registers: GeneralRegisters) -> Bool {
    let mask: UInt64 = write.isIdentityMapped ? .max : 0xfff
    return (linearAddress(registers, write) ^ write.address) & mask == 0
  }

  /// Whether the write lies inside an operand of `count` bytes at `linear`.
  private func covers(_ write: LockedInstruction.Write, _ linear: UInt64, _ count: UInt64) -> Bool {
    let offset = write.isIdentityMapped ? write.address &- linear : (write.address &- linear) & 0xfff
    return offset < count && UInt64(write.written.count) <= count - offset
  }

  /// An operand that crosses a page comes in parts.
  private func recognizeSplit(_ write: LockedInstruction.Write) -> LockedInstruction.Outcome {
    let linear = linearAddress(write.registers, write)
    let crosses = linear & 0xfff + UInt64(size.bytes) > 4096
    return crosses && covers(write, linear, UInt64(size.bytes)) ? .cannot(.split) : .notLocked
  }
}

extension [UInt8] {
  var littleEndian: UInt64 {
    var value: UInt64 = 0
    for (index, byte) in enumerated() {
      value |= UInt64(byte) << UInt64(8 * index)
    }
    return value
  }

  init(littleEndian value: UInt64, count: Int) {
    self = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }
}
