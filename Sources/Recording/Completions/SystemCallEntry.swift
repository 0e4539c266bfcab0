/// A system call that an emulating KVM left half done.
///
/// Code in user mode runs natively there, and its `syscall` is emulated: RCX, R11, RFLAGS and RIP are set, but CS and SS stay those of user mode. The
/// kernel's first instruction is then fetched from user mode and faults. The fault is delivered, and on the first instruction of the guest's handler it
/// can be told by what was pushed: an instruction pointer that is the entry point for system calls, with user mode's CS. What the processor should have
/// done is put in the fault's place; nothing of the guest's memory is changed, for what was pushed lies below the stack's end, where nothing is.
public struct SystemCallEntry: Hashable, Sendable {
  /// Model-specific registers that say where system calls go, and to which segments.
  public static let registers: [UInt32] = [starRegister, entryRegister]
  private static let starRegister: UInt32 = 0xc000_0081
  private static let entryRegister: UInt32 = 0xc000_0082

  /// Words that a page fault pushes: error code, RIP, CS, RFLAGS, RSP, SS.
  public static let frameSize = 48

  public let rip: UInt64
  public let rflags: UInt64
  public let rsp: UInt64
  public let codeSelector: UInt16
  public let stackSelector: UInt16

  /// `frame` is what is on the stack at the page-fault handler's first instruction, `values` those of `registers`. Nil where the fault is any other.
  public init?(frame: [UInt8], values: [UInt64]) {
    guard frame.count == Self.frameSize, values.count == 2 else { return nil }
    func word(_ index: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(frame[8 * index + $1]) << UInt64(8 * $1) } }
    let (star, entry) = (values[0], values[1])
    guard entry != 0, word(1) == entry, word(2) & 3 == 3 else { return nil }
    rip = entry
    // RF was set by the fault.
    rflags = word(3) & ~(1 << 16)
    rsp = word(4)
    codeSelector = UInt16(truncatingIfNeeded: star >> 32) & ~3
    stackSelector = codeSelector &+ 8
  }
}
