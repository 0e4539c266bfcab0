import Testing
import X86

@Suite struct LockedInstructionTests {
  /// Runs each instruction on this processor twice from one state, against the value that it read and against the one that another vCPU has
  /// written meanwhile: from the outcome of the first, `recompute` must find the outcome of the second.
  @Test func agreesWithTheProcessor() {
    let seed = SeededNumbers.seed
    var numbers = SeededNumbers(seed: seed)
    let cpu = NativeCPU()
    var undecided: [TestInstruction.Operation: Int] = [:]
    var undecidedInformed = 0
    for operation in TestInstruction.Operation.allCases {
      for _ in 0..<400 {
        let trial = Trial(operation, cpu, &numbers)
        let outcome = trial.recompute(knowingPrevious: false)
        let isUndecided = outcome == .ambiguous || outcome == .cannot(.carryUnknown)
        if isUndecided { undecided[operation, default: 0] += 1 }
        #expect(isUndecided || trial.accepts(outcome), "seed \(seed): \(trial), got \(outcome)")
        let informed = trial.recompute(knowingPrevious: true)
        if informed == .ambiguous { undecidedInformed += 1 }
        #expect(informed == .ambiguous || trial.accepts(informed), "seed \(seed): \(trial), got \(informed), knowing the previous value")
      }
    }
    // Without the value read, a carry in is lost for good, and the byte before an XCHG may look like a part of it.
    for (operation, count) in undecided {
      let limit = [.adc, .sbb, .adcImmediate8, .sbbImmediate32].contains(operation) ? 400 : operation == .exchange ? 80 : 8
      #expect(count <= limit, "seed \(seed): \(operation) undecided \(count) times of 400")
    }
    #expect(undecidedInformed < 40, "seed \(seed): \(undecidedInformed) undecided with the previous value known")
  }

  /// One byte in the wrong place and it is another instruction, or none.
  @Test func rejectsWhatDidNotMakeTheWrite() {
    var write = Self.xadd
    #expect(LockedInstruction.recompute(write) != .notLocked)
    write.address += 8
    #expect(LockedInstruction.recompute(write) == .notLocked)
    write = Self.xadd
    write.code[0] = 0x90
    #expect(LockedInstruction.recompute(write) == .notLocked, "no lock prefix")
    write = Self.xadd
    write.rflags ^= 1
    #expect(LockedInstruction.recompute(write) == .notLocked, "flags that the addition does not leave")
    write = Self.xadd
    write.written = [7, 0, 0, 0]
    write.current = [9, 0, 0, 0]
    write.address += 8
    #expect(LockedInstruction.recompute(write) == .notLocked, "outside the operand")
    write.address -= 8
    #expect(LockedInstruction.recompute(write) == .notLocked, "half of the operand")
    write.registers[.rax] = 0x40_2ffc
    write.address = 0x40_2ffc
    #expect(LockedInstruction.recompute(write) == .cannot(.split), "the half that ends a page")
    write = Self.xadd
    write.code = []
    #expect(LockedInstruction.recompute(write) == .notLocked)
  }

  @Test func exchangeAddTakesTheNewValue() {
    var registers = Self.xadd.registers
    registers[.rcx] = 9
    #expect(LockedInstruction.recompute(Self.xadd) == .recomputed(bytes: [11, 0, 0, 0, 0, 0, 0, 0], registers: registers, rflags: 0x2))
  }

  /// lock xadd %rcx, (%rax): memory was 5, the addend 2; now memory is 9.
  static let xadd: LockedInstruction.Write = {
    var registers = GeneralRegisters()
    registers[.rax] = 0x40_2040
    registers[.rcx] = 5
    return LockedInstruction.Write(
      code: [0xf0, 0x48, 0x0f, 0xc1, 0x08], rip: 0x10_0005, registers: registers, rflags: 0x2, address: 0x40_2040,
      written: [7, 0, 0, 0, 0, 0, 0, 0], current: [9, 0, 0, 0, 0, 0, 0, 0])
  }()

  @Test func ripRelativeAndOtherMappings() {
    // lock incl 0x10(%rip)
    var write = LockedInstruction.Write(
      code: [0x90, 0xf0, 0xff, 0x05, 0x10, 0, 0, 0], rip: 0x10_0008, registers: GeneralRegisters(), rflags: 0x3, address: 0x10_0018,
      written: [1, 0, 0, 0], current: [0xff, 0xff, 0xff, 0xff])
    // Zero, parity and adjust; carry is kept.
    let expected = LockedInstruction.Outcome.recomputed(bytes: [0, 0, 0, 0], registers: GeneralRegisters(), rflags: 0x57)
    #expect(LockedInstruction.recompute(write) == expected)
    write.address = 0x7_f018
    #expect(LockedInstruction.recompute(write) == .notLocked)
    write.isIdentityMapped = false
    #expect(LockedInstruction.recompute(write) == expected)
  }

  @Test func failedCompareExchangeLeavesTheOtherWrite() {
    // lock cmpxchg %ecx, (%rdx) that read 3 and did not find its 4 or whatever it was: EAX is now 3, ZF is off.
    var registers = GeneralRegisters()
    registers[.rdx] = 0x5000
    registers[.rax] = 3
    let write = LockedInstruction.Write(
      code: [0xf0, 0x0f, 0xb1, 0x0a], rip: 0x1004, registers: registers, rflags: 0x2, address: 0x5000, written: [3, 0, 0, 0],
      current: [8, 0, 0, 0])
    #expect(LockedInstruction.recompute(write) == .recomputed(bytes: [8, 0, 0, 0], registers: registers, rflags: 0x2))
  }

  @Test func takenCompareExchangeFailsAgainstAnotherValue() {
    var registers = GeneralRegisters()
    registers[.rdx] = 0x5000
    registers[.rax] = 3
    registers[.rcx] = 4
    let write = LockedInstruction.Write(
      code: [0xf0, 0x0f, 0xb1, 0x0a], rip: 0x1004, registers: registers, rflags: 0x46, address: 0x5000, written: [4, 0, 0, 0],
      current: [8, 0, 0, 0])
    registers[.rax] = 8
    // 3 - 8: carry, sign, adjust.
    #expect(LockedInstruction.recompute(write) == .recomputed(bytes: [8, 0, 0, 0], registers: registers, rflags: 0x93))
  }

  @Test func doubleWidthIsRefused() {
    var registers = GeneralRegisters()
    registers[.rdi] = 0x5000
    for (code, address) in [([0xf0, 0x0f, 0xc7, 0x0f], 0x5000), ([0xf0, 0x48, 0x0f, 0xc7, 0x0f], 0x5008)] as [([UInt8], UInt64)] {
      let write = LockedInstruction.Write(
        code: code, rip: 0x1004, registers: registers, rflags: 2, address: address, written: [UInt8](repeating: 1, count: 8),
        current: [UInt8](repeating: 2, count: 8))
      #expect(LockedInstruction.recompute(write) == .cannot(.doubleWidth))
    }
  }

  /// 44 87 08 is xchg %r9d, (%rax); without its first byte it is xchg %ecx, (%rax). The registers and bytes can't tell which; the value read can.
  @Test func looksAlikeFromBehind() {
    var registers = GeneralRegisters()
    registers[.rax] = 0x5000
    registers[.rcx] = 6
    registers[.r9] = 5
    var write = LockedInstruction.Write(
      code: [0x44, 0x87, 0x08], rip: 0x1003, registers: registers, rflags: 2, address: 0x5000, written: [1, 0, 0, 0], current: [7, 0, 0, 0])
    #expect(LockedInstruction.recompute(write) == .ambiguous)
    write.previous = [5, 0, 0, 0]
    registers[.r9] = 7
    #expect(LockedInstruction.recompute(write) == .recomputed(bytes: [1, 0, 0, 0], registers: registers, rflags: 2))
  }

  /// Whatever the bytes, it answers: nothing in a guest's code may crash its recorder.
  @Test func anyBytesAreAnswered() {
    let seed = SeededNumbers.seed
    var numbers = SeededNumbers(seed: seed)
    var answered = 0
    for _ in 0..<20_000 {
      var registers = GeneralRegisters()
      for name in GeneralRegisters.Name.allCases { registers[name] = numbers.next() }
      var code = (0..<Int.random(in: 0...20, using: &numbers)).map { _ in UInt8.random(in: 0...255, using: &numbers) }
      if code.count > 4 { code[code.count - 4] = 0xf0 }
      let count = Int.random(in: 0...9, using: &numbers)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) }
      let write = LockedInstruction.Write(
        code: code, rip: numbers.next(), registers: registers, rflags: numbers.next(), address: numbers.next(), written: bytes,
        current: bytes.reversed(), isIdentityMapped: false)
      if LockedInstruction.recompute(write) == .notLocked { answered += 1 }
    }
    #expect(answered > 19_000, "seed \(seed)")
  }
}
