import Glibc
import X86

/// Executes one instruction on the processor that runs the tests: the reference for what an instruction does. x86-64 only.
///
/// RSP is the test's own and is neither loaded nor stored.
@safe struct NativeCPU: ~Copyable {
  struct State: Equatable {
    var registers = GeneralRegisters()
    var rflags: UInt64 = 2
  }

  private let page: UnsafeMutableRawPointer
  /// 64 bytes that instructions may address.
  private let operand: UnsafeMutableRawPointer

  init() {
    // Below 4 GiB, as guest memory is.
    unsafe page = mmap(nil, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0)
    precondition(unsafe page != MAP_FAILED)
    unsafe operand = page + 4096
  }

  deinit { unsafe munmap(page, 8192) }

  /// The address of `operand`.
  var operandAddress: UInt64 { unsafe UInt64(UInt(bitPattern: operand)) }

  /// Runs `instruction` from `state` with `value` at `slot` bytes into the operand; returns the state and the value after it.
  func run(_ instruction: [UInt8], from state: State, value: UInt64, at slot: Int) -> (state: State, value: UInt64) {
    precondition(slot >= 0 && slot <= 56)
    // SAFETY: the operand has 64 bytes, and the slot is at least 8 bytes before their end.
    unsafe (operand + slot).storeBytes(of: value, as: UInt64.self)
    let after = run(instruction, from: state)
    return (after, unsafe (operand + slot).loadUnaligned(as: UInt64.self))
  }

  private func run(_ instruction: [UInt8], from state: State) -> State {
    var block = (0..<16).map { state.registers[GeneralRegisters.Name(rawValue: $0)!] } + [state.rflags]
    let code = Self.prologue + instruction + Self.epilogue
    // SAFETY: the page is ours, writable and executable, and the code keeps to the System V calling convention.
    unsafe code.withUnsafeBytes { unsafe page.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    let function = unsafe unsafeBitCast(page, to: (@convention(c) (UnsafeMutablePointer<UInt64>) -> Void).self)
    unsafe block.withUnsafeMutableBufferPointer { unsafe function($0.baseAddress!) }
    var after = State()
    for name in GeneralRegisters.Name.allCases { after.registers[name] = block[name.rawValue] }
    after.rflags = block[16]
    return after
  }

  /// mov [rdi + 8 n], n or mov n, [rdi + 8 n], for every register but RSP and RDI.
  private static func moves(_ opcode: UInt8) -> [UInt8] {
    (0..<16).filter { $0 != 4 && $0 != 7 }.flatMap { (number: UInt8) -> [UInt8] in
      [number < 8 ? 0x48 : 0x4c, opcode, 0x47 | (number & 7) << 3, number * 8]
    }
  }

  private static let prologue: [UInt8] =
    [0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x57]  // push rbx, rbp, r12 to r15, rdi
    + [0xff, 0xb7, 128, 0, 0, 0, 0x9d]  // push [rdi + 128]; popfq
    + moves(0x8b) + [0x48, 0x8b, 0x7f, 56]  // ...; mov rdi, [rdi + 56]
  private static let epilogue: [UInt8] =
    [0x57, 0x48, 0x8b, 0x7c, 0x24, 0x08]  // push rdi; mov rdi, [rsp + 8]
    + moves(0x89)
    + [0x8f, 0x47, 56, 0x9c, 0x8f, 0x87, 128, 0, 0, 0]  // pop [rdi + 56]; pushfq; pop [rdi + 128]
    + [0xfc, 0x5f, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3]  // cld; pops; ret
}

/// xorshift64*: the same numbers for the same seed everywhere.
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed == 0 ? 0x9e37_79b9_7f4a_7c15 : seed }

  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }

  /// PAGETAPE_SEED, else the time. Print it with every failure.
  static var seed: UInt64 {
    if let text = unsafe getenv("PAGETAPE_SEED"), let seed = unsafe UInt64(String(cString: text)) { return seed }
    return UInt64(time(nil))
  }
}
