import X86

/// One instruction, executed against two values.
struct Trial: CustomStringConvertible {
  var instruction: TestInstruction
  var write: LockedInstruction.Write
  var old: [UInt8]
  var expected: LockedInstruction.Outcome

  init(_ operation: TestInstruction.Operation, _ cpu: borrowing NativeCPU, _ numbers: inout SeededNumbers) {
    let instruction = TestInstruction.random(operation, &numbers)
    let size = instruction.size
    let mask: UInt64 = size == 8 ? .max : (1 << UInt64(8 * size)) - 1
    // Small values now and then: carries, zeros and equal operands.
    func value() -> UInt64 { Int.random(in: 0..<3, using: &numbers) == 0 ? numbers.next() & 3 : numbers.next() }
    let values = (value() & mask, value() & mask)
    var before = NativeCPU.State()
    for name in GeneralRegisters.Name.allCases where name != .rsp { before.registers[name] = value() }
    before.rflags = 2 | numbers.next() & 0x8d5
    if operation == .compareExchange && Bool.random(using: &numbers) { before.registers[.rax] = values.0 }
    let target = cpu.operandAddress + 8 * UInt64.random(in: 2...5, using: &numbers)
    instruction.aim(&before.registers, at: target)
    let code = instruction.code
    let address = target &+ instruction.bitStringOffset(before.registers)
    let inside = address >= cpu.operandAddress && address <= cpu.operandAddress + 56
    precondition(inside, "the instruction must stay in its buffer")
    let slot = Int(address - cpu.operandAddress)

    func bytes(_ value: UInt64) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }
    let (first, written) = cpu.run(code, from: before, value: values.0, at: slot)
    let (second, wanted) = cpu.run(code, from: before, value: values.1, at: slot)
    self.instruction = instruction
    old = bytes(values.0)
    let noise = (0..<(15 - code.count)).map { _ in UInt8.random(in: 0...255, using: &numbers) }
    write = LockedInstruction.Write(
      code: noise + code, rip: 0x10_0000, registers: first.registers, rflags: first.rflags, address: address, written: bytes(written),
      current: bytes(values.1))
    if operation == .compareExchange && first.rflags & 0x40 == 0 {
      expected = .recomputed(bytes: write.current, registers: first.registers, rflags: first.rflags)
    } else {
      expected = .recomputed(bytes: bytes(wanted), registers: second.registers, rflags: second.rflags)
    }
  }

  func recompute(knowingPrevious: Bool) -> LockedInstruction.Outcome {
    var write = write
    if knowingPrevious { write.previous = old }
    return LockedInstruction.recompute(write)
  }

  /// Whether the outcome is the expected one, in all that the instruction defines.
  func accepts(_ outcome: LockedInstruction.Outcome) -> Bool {
    guard case .recomputed(let bytes, let registers, let rflags) = outcome,
      case .recomputed(let wantedBytes, let wantedRegisters, let wantedFlags) = expected
    else { return false }
    return bytes == wantedBytes && registers == wantedRegisters && (rflags ^ wantedFlags) & instruction.definedFlags == 0
  }

  var description: String { "\(instruction) \(write), read \(old), expected \(expected)" }
}

extension TestInstruction {
  /// Any size, registers and addressing; RSP stays the test's own.
  static func random(_ operation: Operation, _ numbers: inout SeededNumbers) -> TestInstruction {
    let usable = (0..<16).filter { $0 != 4 }
    var made = TestInstruction(
      operation: operation, size: 1 << Int.random(in: 0...3, using: &numbers), register: usable.randomElement(using: &numbers)!, base: 0)
    if made.isBitOperation && made.size == 1 { made.size = 2 }
    // A base that is also a bit string's offset would have to be both.
    let taken = made.isBitOperation && made.takesRegister ? made.register : -1
    let base = usable.filter { $0 != taken }.randomElement(using: &numbers)!
    made.base = base
    if Bool.random(using: &numbers) { made.index = usable.filter { $0 != base }.randomElement(using: &numbers)! }
    made.scale = Int.random(in: 0...3, using: &numbers)
    let reach: Int32 = Bool.random(using: &numbers) ? 127 : 9999
    made.displacement = Int32.random(in: -reach...reach, using: &numbers)
    made.immediate = Int32(truncatingIfNeeded: numbers.next())
    return made
  }

  private static func name(_ number: Int) -> GeneralRegisters.Name { GeneralRegisters.Name(rawValue: number)! }

  /// Sets base and index so that the operand is at `target`, and a bit string's offset so that it stays near.
  func aim(_ registers: inout GeneralRegisters, at target: UInt64) {
    let isBitString = isBitOperation && takesRegister
    if isBitString { registers[Self.name(register)] = registers[Self.name(register)] & 63 }
    if let index { registers[Self.name(index)] &= isBitString && index == register ? 63 : 0xffff }
    let indexed = index.map { registers[Self.name($0)] << UInt64(scale) } ?? 0
    registers[Self.name(base)] = target &- indexed &- UInt64(bitPattern: Int64(displacement))
  }

  func bitStringOffset(_ registers: GeneralRegisters) -> UInt64 {
    guard isBitOperation && takesRegister else { return 0 }
    return registers[Self.name(register)] >> 3 & ~UInt64(size - 1)
  }
}
