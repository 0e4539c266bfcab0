import GuestImages

/// Machine code for a guest of a test's own: a flat image that starts where the loader puts it.
struct GuestCode {
  static let base: UInt64 = 0x10_0000
  var bytes: [UInt8] = []

  enum Register: UInt8 { case rax = 0, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 }

  var here: UInt64 { Self.base + UInt64(bytes.count) }

  mutating func emit(_ code: UInt8...) { bytes += code }

  private mutating func emit32(_ value: UInt32) {
    for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
  }

  /// An instruction whose operand is an absolute address, given up to its ModRM byte (the scaled-index byte and the address follow).
  mutating func emit(_ code: [UInt8], at address: UInt64) {
    bytes += code + [0x25]
    emit32(UInt32(address))
  }

  /// jmp address, within the code
  mutating func jump(to address: UInt64) {
    emit(0xe9)
    emit32(UInt32(truncatingIfNeeded: address &- (here + 4)))
  }

  /// mov $value, %register (64 bits)
  mutating func load(_ register: Register, _ value: UInt64) {
    emit(0x48 | (register.rawValue >> 3), 0xb8 | (register.rawValue & 7))
    emit32(UInt32(truncatingIfNeeded: value))
    emit32(UInt32(truncatingIfNeeded: value >> 32))
  }

  /// movq %register, address
  mutating func store(_ register: Register, to address: UInt64) {
    emit(0x48 | (register.rawValue >> 3) << 2, 0x89, 0x04 | (register.rawValue & 7) << 3, 0x25)
    emit32(UInt32(address))
  }

  /// movq address, %register
  mutating func fetch(_ register: Register, from address: UInt64) {
    emit(0x48 | (register.rawValue >> 3) << 2, 0x8b, 0x04 | (register.rawValue & 7) << 3, 0x25)
    emit32(UInt32(address))
  }

  /// A hypercall with its first arguments; others are what the registers hold.
  mutating func hypercall(_ number: UInt64, _ arguments: UInt64...) {
    for (register, value) in zip([Register.rdi, .rsi, .r9, .rcx, .r8], arguments) { load(register, value) }
    load(.rax, number)
    load(.rdx, 0x5054)
    emit(0xef)  // outl %eax, %dx
  }

  mutating func halt() { emit(0xf4) }

  /// Repeats `body` until the quadword at `address` is `value`.
  mutating func wait(for value: UInt8, at address: UInt64, _ body: (inout GuestCode) -> Void) {
    let start = bytes.count
    body(&self)
    emit([0x48, 0x83, 0x3c], at: address)  // cmpq $value, address
    emit(value)
    emit(0x0f, 0x85)  // jne start
    emit32(UInt32(bitPattern: Int32(start - (bytes.count + 4))))
  }

  /// Runs `body` `count` times, with %rbx as the counter.
  mutating func loop(_ count: UInt64, _ body: (inout GuestCode) -> Void) {
    load(.rbx, count)
    let start = bytes.count
    body(&self)
    emit(0x48, 0xff, 0xcb)  // dec %rbx
    emit(0x0f, 0x85)  // jnz start
    emit32(UInt32(bitPattern: Int32(start - (bytes.count + 4))))
  }

  var image: GuestImage {
    get throws { try GuestImage(name: "test", fileBytes: bytes) }
  }
}
