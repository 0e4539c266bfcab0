/// What a processor does when it delivers an external interrupt in 64-bit mode (Intel SDM volume 3, 6.14): the frame that it pushes, and where it
/// goes on.
public struct InterruptDelivery: Hashable, Sendable {
  /// Where the interrupted code was.
  public struct Context: Hashable, Sendable {
    public var rip: UInt64
    public var rsp: UInt64
    public var rflags: UInt64
    public var codeSelector: UInt16
    public var stackSelector: UInt16

    public init(rip: UInt64, rsp: UInt64, rflags: UInt64, codeSelector: UInt16, stackSelector: UInt16) {
      self.rip = rip
      self.rsp = rsp
      self.rflags = rflags
      self.codeSelector = codeSelector
      self.stackSelector = stackSelector
    }
  }

  public static let gateSize: UInt64 = 16

  public let rip: UInt64
  /// Aligned to 16 bytes less the frame.
  public let rsp: UInt64
  public let rflags: UInt64
  /// Five words from `rsp` on: RIP, CS, RFLAGS, RSP, SS.
  public let frame: [UInt64]

  /// Where a gate leads.
  package static func handler(gate: [UInt8]) -> UInt64 { gate.word(at: 0, 2) | gate.word(at: 6, 6) << 16 }

  /// Nil where more is to be done than this knows: a gate that is not present or of another type, a change of privilege, code segment or stack.
  public init?(gate: [UInt8], from context: Context) {
    guard gate.count == Int(Self.gateSize), context.codeSelector & 3 == 0 else { return nil }
    let type = gate[5] & 0x1f
    guard gate[5] & 0x80 != 0, type == 0xe || type == 0xf, gate[4] & 7 == 0, gate.word(at: 2, 2) == UInt64(context.codeSelector) else { return nil }
    rip = Self.handler(gate: gate)
    rsp = (context.rsp & ~15) &- 40
    // TF, NT, RF and VM; an interrupt gate clears IF as well.
    let cleared: UInt64 = 1 << 8 | 1 << 14 | 1 << 16 | 1 << 17 | (type == 0xe ? 1 << 9 : 0)
    rflags = context.rflags & ~cleared
    frame = [context.rip, UInt64(context.codeSelector), context.rflags, context.rsp, UInt64(context.stackSelector)]
  }
}
