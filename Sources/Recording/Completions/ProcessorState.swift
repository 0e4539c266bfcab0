public import X86

/// What an instruction that is finished here reads and changes of a vCPU.
public struct ProcessorState: Hashable, Sendable {
  public var general: GeneralRegisters
  public var rip: UInt64
  public var fsBase: UInt64
  public var gsBase: UInt64
  /// The x87 and SSE registers.
  public var floating: FloatingState

  public init(general: GeneralRegisters, rip: UInt64, fsBase: UInt64, gsBase: UInt64, floating: FloatingState) {
    self.general = general
    self.rip = rip
    self.fsBase = fsBase
    self.gsBase = gsBase
    self.floating = floating
  }
}

/// The x87 and SSE registers as `fxsave` stores them: 512 bytes (Intel SDM volume 1, 10.5.1).
public struct FloatingState: Hashable, Sendable {
  public static let size = 512
  public private(set) var bytes: [UInt8]

  private enum Offset {
    static let control = 0
    static let status = 2
    static let tags = 4
    static let opcode = 6
    static let pointers = 8..<24
    static let mxcsr = 24
    static let mxcsrMask = 28
    static let registers = 32
    static let registerStride = 16
  }

  /// Nil where these are not as many bytes.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.size else { return nil }
    self.bytes = bytes
  }

  private func word(_ offset: Int, _ count: Int) -> UInt64 { (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) } }
  private mutating func setWord(_ offset: Int, _ count: Int, _ value: UInt64) {
    for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
  }

  public var control: UInt16 {
    get { UInt16(word(Offset.control, 2)) }
    set { setWord(Offset.control, 2, UInt64(newValue)) }
  }
  public var status: UInt16 {
    get { UInt16(word(Offset.status, 2)) }
    set { setWord(Offset.status, 2, UInt64(newValue)) }
  }
  /// A bit for each register, set where it is not empty.
  public var tags: UInt8 {
    get { bytes[Offset.tags] }
    set { bytes[Offset.tags] = newValue }
  }
  public var mxcsr: UInt32 {
    get { UInt32(word(Offset.mxcsr, 4)) }
    set { setWord(Offset.mxcsr, 4, UInt64(newValue)) }
  }
  /// Bits of MXCSR that may be set.
  public var mxcsrMask: UInt32 {
    let mask = UInt32(word(Offset.mxcsrMask, 4))
    return mask == 0 ? 0xffbf : mask
  }

  /// Which register is on top of the stack.
  public var top: Int {
    get { Int(status >> 11) & 7 }
    set { status = status & ~(7 << 11) | UInt16(newValue & 7) << 11 }
  }

  /// An exception is pending that the control word does not mask.
  public var hasUnmaskedException: Bool { status & ~control & 0x3f != 0 }

  mutating func clearPointers() {
    for offset in Offset.pointers { bytes[offset] = 0 }
    setWord(Offset.opcode, 2, 0)
  }

  /// Register `number` counted from the top, 80 bits in 10 bytes: significand, then sign and exponent.
  public func register(_ number: Int) -> (significand: UInt64, exponent: UInt16) {
    let at = Offset.registers + number * Offset.registerStride
    return (word(at, 8), UInt16(word(at + 8, 2)))
  }

  /// Puts a value on the stack; false where there is no room.
  mutating func push(significand: UInt64, exponent: UInt16) -> Bool {
    let next = (top + 7) & 7
    guard tags & 1 << UInt8(next) == 0 else { return false }
    top = next
    tags |= 1 << UInt8(next)
    // `fxsave` numbers them from the top: all move one on.
    let last = Offset.registers + 8 * Offset.registerStride
    let moved = Array(bytes[Offset.registers..<last - Offset.registerStride])
    bytes.replaceSubrange(Offset.registers + Offset.registerStride..<last, with: moved)
    for index in Offset.registers..<Offset.registers + Offset.registerStride { bytes[index] = 0 }
    setWord(Offset.registers, 8, significand)
    setWord(Offset.registers + 8, 2, UInt64(exponent))
    return true
  }
}
