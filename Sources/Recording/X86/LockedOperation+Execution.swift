extension LockedOperation {
  /// Registers, flags and the memory operand, before or after the instruction.
  struct State: Hashable, Sendable {
    var registers: GeneralRegisters
    var rflags: UInt64
    var value: UInt64

    var carry: Bool { rflags & StatusFlags.carry.rawValue != 0 }

    fileprivate mutating func set(_ flags: StatusFlags, of mask: StatusFlags) {
      rflags = rflags & ~mask.rawValue | flags.intersection(mask).rawValue
    }
  }

  /// The flags that it leaves in a defined state. The others are left as they are.
  var definedFlags: StatusFlags {
    switch kind {
    case .add, .adc, .sbb, .sub, .negate, .exchangeAdd, .compareExchange: .all
    case .or, .and, .xor: StatusFlags.all.subtracting(.adjust)
    case .increment, .decrement: StatusFlags.all.subtracting(.carry)
    case .bitSet, .bitReset, .bitComplement: .carry
    case .not, .exchange, .compareExchangeDouble: []
    }
  }

  /// Executes it.
  func execute(_ before: State) -> State {
    var after = before
    let source = sourceValue(before.registers)
    switch kind {
    case .add, .adc, .exchangeAdd:
      let (sum, flags) = StatusFlags.ofSum(before.value, source, carry: kind == .adc && before.carry, size)
      after.value = sum
      after.set(flags, of: .all)
    case .sub, .sbb:
      let (difference, flags) = StatusFlags.ofDifference(before.value, source, borrow: kind == .sbb && before.carry, size)
      after.value = difference
      after.set(flags, of: .all)
    case .or: after.setLogical(before.value | source, self)
    case .and: after.setLogical(before.value & source, self)
    case .xor: after.setLogical(before.value ^ source, self)
    case .increment:
      let (sum, flags) = StatusFlags.ofSum(before.value, 1, carry: false, size)
      after.value = sum
      after.set(flags, of: definedFlags)
    case .decrement:
      let (difference, flags) = StatusFlags.ofDifference(before.value, 1, borrow: false, size)
      after.value = difference
      after.set(flags, of: definedFlags)
    case .not: after.value = ~before.value & size.mask
    case .negate:
      let (difference, flags) = StatusFlags.ofDifference(0, before.value, borrow: false, size)
      after.value = difference
      after.set(flags, of: .all)
    case .exchange: after.value = source
    case .bitSet, .bitReset, .bitComplement: after.setBit(source & (size.bits - 1), self)
    case .compareExchange: compareExchange(&after)
    case .compareExchangeDouble: break
    }
    if kind == .exchange || kind == .exchangeAdd, case .register(let operand) = self.source {
      operand.write(before.value, to: &after.registers, size)
    }
    return after
  }

  private func compareExchange(_ state: inout State) {
    let accumulator = RegisterOperand(.rax)
    let expected = accumulator.read(state.registers, size)
    let (difference, flags) = StatusFlags.ofDifference(expected, state.value, borrow: false, size)
    state.set(flags, of: .all)
    if difference == 0 {
      state.value = sourceValue(state.registers)
    } else {
      accumulator.write(state.value, to: &state.registers, size)
    }
  }
}

extension LockedOperation.State {
  fileprivate mutating func setLogical(_ result: UInt64, _ operation: LockedOperation) {
    value = result & operation.size.mask
    set(StatusFlags.ofResult(value, operation.size), of: operation.definedFlags)
  }

  fileprivate mutating func setBit(_ bit: UInt64, _ operation: LockedOperation) {
    let mask: UInt64 = 1 << bit
    set(value & mask == 0 ? [] : .carry, of: .carry)
    switch operation.kind {
    case .bitSet: value |= mask
    case .bitReset: value &= ~mask
    default: value ^= mask
    }
  }
}
