import Completions
import Testing
import X86

@Suite struct CompletionTests {
  private static let memory: [UInt64: [UInt8]] = [0x5000: [0x85, 0xff, 0xff, 0xff], 0x1020: [0x80, 0x1f, 0, 0], 0x6000: [0, 0, 1, 0]]

  private static func state(rip: UInt64 = 0x1000) -> ProcessorState {
    var general = GeneralRegisters()
    general[.rax] = 0x5000
    general[.rcx] = 0x10
    general[.r13] = 0x4ff8
    general[.rsp] = 0x5000
    var bytes = [UInt8](repeating: 0, count: 512)
    // MXCSR's mask.
    bytes[28] = 0xff
    bytes[29] = 0xff
    return ProcessorState(general: general, rip: rip, fsBase: 0x5000, gsBase: 0x1000, floating: FloatingState(bytes)!)
  }

  /// Carries an instruction out; nil where it is none of those known.
  private static func run(_ bytes: [UInt8], _ state: inout ProcessorState) -> InstructionCompletion.Outcome? {
    guard let (completion, length) = InstructionCompletion.decode(bytes + [0x90, 0x90]) else { return nil }
    #expect(length == bytes.count, "\(bytes)")
    return completion.carryOut(length, on: &state) { address, count in memory[address].flatMap { $0.count == count ? $0 : nil } }
  }

  @Test func aBreakpointIsAnExceptionBehindIt() {
    var state = Self.state()
    #expect(Self.run([0xcc], &state) == .exception(3))
    #expect(state.rip == 0x1001)
  }

  @Test func waitingIsNothingWhereNothingIsPending() {
    var state = Self.state()
    #expect(Self.run([0x9b], &state) == .done)
    #expect(state.rip == 0x1001)
    state.floating.status = 1
    let before = state
    #expect(Self.run([0x9b], &state) == .cannot)
    #expect(state == before)
    state.floating.control = 0x37f
    #expect(Self.run([0x9b], &state) == .done)
  }

  @Test func theUnitIsPutInOrder() {
    var state = Self.state()
    state.floating.status = 0xb881
    state.floating.tags = 0x0f
    #expect(Self.run([0xdb, 0xe2], &state) == .done)
    #expect(state.floating.status == 0x3800)
    #expect(Self.run([0x0f, 0x77], &state) == .done)
    #expect(state.floating.tags == 0)
    #expect(state.floating.top == 0)
    #expect(Self.run([0xdb, 0xe3], &state) == .done)
    #expect([state.floating.control, state.floating.status] == [0x37f, 0])
    #expect(state.rip == 0x1006)
  }

  @Test func anIntegerIsLoadedOnTheStack() {
    // -123 in all the ways that an operand can be named.
    let forms: [[UInt8]] = [
      [0xdb, 0x00], [0xdb, 0x40, 0x00], [0xdb, 0x80, 0, 0, 0, 0], [0x41, 0xdb, 0x45, 0x08], [0xdb, 0x04, 0x24], [0xdb, 0x44, 0x08, 0xf0],
      [0xdb, 0x04, 0x25, 0, 0x50, 0, 0], [0x64, 0xdb, 0x04, 0x25, 0, 0, 0, 0], [0xdb, 0x05, 0xfa, 0x3f, 0, 0],
    ]
    for form in forms {
      var state = Self.state()
      #expect(Self.run(form, &state) == .done, "\(form)")
      #expect(state.floating.top == 7)
      #expect(state.floating.tags == 0x80)
      // 123 is 1.111011 times 2 to the 6.
      #expect(state.floating.register(0) == (0xf600_0000_0000_0000, 0xc005), "\(form)")
    }
  }

  @Test func loadedIntegersMoveTheOthersOn() {
    var state = Self.state()
    for _ in 0..<2 { #expect(Self.run([0xdb, 0x00], &state) == .done) }
    #expect(state.floating.register(0) == state.floating.register(1))
    #expect(state.floating.tags == 0xc0)
    for _ in 0..<6 { #expect(Self.run([0xdb, 0x00], &state) == .done) }
    #expect(Self.run([0xdb, 0x00], &state) == .cannot, "the stack is full")
  }

  @Test func theControlRegisterIsLoaded() {
    var state = Self.state()
    #expect(Self.run([0x65, 0x0f, 0xae, 0x14, 0x25, 0x20, 0, 0, 0], &state) == .done)
    #expect(state.floating.mxcsr == 0x1f80)
    state.general[.rax] = 0x6000
    #expect(Self.run([0x0f, 0xae, 0x10], &state) == .cannot, "a bit that may not be set")
    state.general[.rax] = 0x7000
    #expect(Self.run([0x0f, 0xae, 0x10], &state) == .cannot, "nothing is there")
  }

  @Test func othersAreNotKnown() {
    var state = Self.state()
    let others: [[UInt8]] = [
      [], [0x90], [0x0f, 0xae, 0x18], [0x0f, 0xae, 0xd0], [0xf3, 0x0f, 0xae, 0x10], [0xdb, 0x28], [0xdb, 0xc0], [0xd9, 0x00], [0x0f, 0xc7, 0x08],
      [0x66, 0xdb, 0x00], [0xdb], [0x0f], [0x64], [0x48],
    ]
    for bytes in others { #expect(Self.run(bytes, &state) == nil, "\(bytes)") }
    #expect(state == Self.state())
  }

  /// Every two bytes, and cut short anywhere.
  @Test func decodingNeverReadsPastTheEnd() {
    for first in 0...255 as ClosedRange<UInt8> {
      for second in 0...255 as ClosedRange<UInt8> {
        for tail in 0..<6 {
          let bytes = [first, second] + [UInt8](repeating: 0x04, count: tail)
          if let found = InstructionCompletion.decode(bytes) { #expect(found.length <= bytes.count) }
        }
      }
    }
  }

  // MARK: System calls

  private static func frame(_ words: [UInt64]) -> [UInt8] { words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } } }
  private static let values: [UInt64] = [0x0023_0010 << 32, 0xffff_ffff_8180_0000]

  @Test func aHalfDoneSystemCallIsTold() throws {
    let frame = Self.frame([0x14, Self.values[1], 0x33, 0x1_0046, 0x7fff_1000, 0x2b])
    let entry = try #require(SystemCallEntry(frame: frame, values: Self.values))
    #expect(entry.rip == Self.values[1])
    #expect(entry.rflags == 0x46)
    #expect(entry.rsp == 0x7fff_1000)
    #expect([entry.codeSelector, entry.stackSelector] == [0x10, 0x18])
  }

  @Test func anyOtherFaultIsLeftAlone() {
    #expect(SystemCallEntry(frame: Self.frame([4, 0x40_1000, 0x33, 0x246, 0x7fff_1000, 0x2b]), values: Self.values) == nil, "elsewhere")
    #expect(SystemCallEntry(frame: Self.frame([0, Self.values[1], 0x10, 0x46, 0, 0x18]), values: Self.values) == nil, "in the kernel")
    #expect(SystemCallEntry(frame: Self.frame([4, 0, 0x33, 0x246, 0, 0x2b]), values: [0, 0]) == nil, "before there are system calls")
    #expect(SystemCallEntry(frame: [], values: Self.values) == nil)
  }
}
