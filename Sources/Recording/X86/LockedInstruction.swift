/// Makes a trapped locked read-modify-write atomic again.
///
/// On a write-traced page such an instruction is a read, then a VM exit that hands over the new value (KVM "emulates exchange as write").
/// Where another vCPU's write was applied between the two, the value is stale: storing it would lose that write. The vCPU has executed
/// nothing since, so the instruction can be computed anew as if it had read the memory only now.
public enum LockedInstruction {
  /// What is known of the vCPU at the exit.
  public struct Write: Hashable, Sendable {
    /// The bytes of code before `rip`, at most the last 15: the instruction is the last of them. Fewer where memory ends.
    public var code: [UInt8]
    /// The address after the instruction.
    public var rip: UInt64
    /// After the instruction, as the exit left them.
    public var registers: GeneralRegisters
    public var rflags: UInt64
    /// Guest-physical address of the write, and the bytes that the exit handed over.
    public var address: UInt64
    public var written: [UInt8]
    /// The bytes in memory there now.
    public var current: [UInt8]
    /// The bytes that the instruction read, where they are known: they tell instructions apart that look alike from behind.
    public var previous: [UInt8]?
    /// Whether linear addresses are physical ones. If not, only the low 12 bits are compared.
    public var isIdentityMapped: Bool
    public var fsBase: UInt64
    public var gsBase: UInt64

    public init(
      code: [UInt8], rip: UInt64, registers: GeneralRegisters, rflags: UInt64, address: UInt64, written: [UInt8], current: [UInt8],
      previous: [UInt8]? = nil, isIdentityMapped: Bool = true, fsBase: UInt64 = 0, gsBase: UInt64 = 0
    ) {
      self.code = code
      self.rip = rip
      self.registers = registers
      self.rflags = rflags
      self.address = address
      self.written = written
      self.current = current
      self.previous = previous
      self.isIdentityMapped = isIdentityMapped
      self.fsBase = fsBase
      self.gsBase = gsBase
    }
  }

  public enum Outcome: Hashable, Sendable {
    /// No locked instruction ends here that writes there: the write needs no atomicity.
    case notLocked
    /// What to store, and what the registers are after it. Where a compare-and-exchange had failed already, `bytes` are the current ones.
    case recomputed(bytes: [UInt8], registers: GeneralRegisters, rflags: UInt64)
    /// A locked instruction, but not one that can be computed anew.
    case cannot(Reason)
    /// Several instructions that end here could have made this write, and they disagree.
    case ambiguous
  }

  public enum Reason: Hashable, Sendable {
    /// CMPXCHG8B and CMPXCHG16B.
    case doubleWidth
    /// The operand crosses a page: the exit handed over a part of it only.
    case split
    /// ADC or SBB whose carry before it can't be told from what it left.
    case carryUnknown
  }

  /// Finds the instruction and computes it against the bytes that are in memory now.
  public static func recompute(_ write: Write) -> Outcome {
    guard write.current.count == write.written.count, (1...8).contains(write.written.count) else { return .notLocked }
    var results: Set<Outcome> = []
    var reasons: Set<Reason> = []
    let code = write.code.suffix(15)
    for start in code.indices {
      guard let instruction = LockedOperation(code[start...]) else { continue }
      switch instruction.recompute(write) {
      case .recomputed(let bytes, let registers, let rflags):
        results.insert(.recomputed(bytes: bytes, registers: registers, rflags: rflags))
      case .cannot(let reason): reasons.insert(reason)
      case .notLocked, .ambiguous: break
      }
    }
    if let only = results.first { return results.count == 1 && reasons.isEmpty ? only : .ambiguous }
    if let reason = reasons.first { return reasons.count == 1 ? .cannot(reason) : .ambiguous }
    return .notLocked
  }
}
