/// The sixteen general registers. A plain value; the order is the one instructions encode.
public struct GeneralRegisters: Hashable, Sendable {
  /// The number that an instruction names a register by, REX extension included.
  public enum Name: Int, Hashable, Sendable, CaseIterable {
    case rax = 0
    case rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
  }

  private var low: SIMD8<UInt64>
  private var high: SIMD8<UInt64>

  public init() {
    low = .zero
    high = .zero
  }

  public subscript(name: Name) -> UInt64 {
    get { self[number: name.rawValue] }
    set { self[number: name.rawValue] = newValue }
  }

  /// By number; only the low four bits count.
  subscript(number number: Int) -> UInt64 {
    get { number & 8 == 0 ? low[number & 7] : high[number & 7] }
    set {
      if number & 8 == 0 {
        low[number & 7] = newValue
      } else {
        high[number & 7] = newValue
      }
    }
  }
}
