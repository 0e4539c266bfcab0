/// An instruction that an emulating KVM cannot execute and that is finished here instead. Hosts that execute guests on their CPU never come here.
///
/// Few are known: those that a Linux kernel executes while it boots. Each is done wholly and as the processor does it, or not at all.
public enum InstructionCompletion: Hashable, Sendable {
  /// `int3`: exception 3 is to be delivered, with the instruction pointer past it.
  case breakpoint
  /// `fwait` and x87 instructions that compute nothing, or load an integer.
  case floating(FloatingInstruction)
  /// `ldmxcsr`.
  case loadControl(Operand)

  /// What becomes of the state.
  public enum Outcome: Hashable, Sendable {
    /// It is done.
    case done
    /// This exception is to be delivered at the new instruction pointer.
    case exception(UInt8)
    /// It would do what is not known here.
    case cannot
  }

  /// The instruction at the start of these bytes, and its length; nil where it is not one of those.
  public static func decode(_ bytes: [UInt8]) -> (completion: InstructionCompletion, length: Int)? {
    guard let first = bytes.first else { return nil }
    if first == 0xcc { return (.breakpoint, 1) }
    guard let code = Encoding(bytes) else { return nil }
    if code.opcode == [0x0f, 0xae], !code.hasPrefix, let operand = code.operand, code.extension == 2 {
      return (.loadControl(operand), code.length)
    }
    return FloatingInstruction(code).map { (.floating($0), code.length) }
  }

  /// Carries it out. `read` gives the bytes at a guest-virtual address, nil where nothing is mapped there.
  public func carryOut(_ length: Int, on state: inout ProcessorState, read: (_ address: UInt64, _ count: Int) -> [UInt8]?) -> Outcome {
    var changed = state
    changed.rip &+= UInt64(length)
    switch self {
    case .breakpoint:
      state = changed
      return .exception(3)
    case .floating(let instruction):
      guard instruction.carryOut(on: &changed, read: read) else { return .cannot }
    case .loadControl(let operand):
      guard let bytes = read(operand.address(changed), 4) else { return .cannot }
      let value = bytes.enumerated().reduce(0 as UInt32) { $0 | UInt32($1.element) << UInt32(8 * $1.offset) }
      // Bits that may not be set would be a general protection exception.
      guard value & ~changed.floating.mxcsrMask == 0 else { return .cannot }
      changed.floating.mxcsr = value
    }
    state = changed
    return .done
  }
}
