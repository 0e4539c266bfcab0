import Testing
import X86

@Suite struct InterruptDeliveryTests {
  private static let context = InterruptDelivery.Context(
    rip: 0x1234, rsp: 0xffe7, rflags: 0x10302, codeSelector: 8, stackSelector: 0x10)

  private static func gate(offset: UInt64 = 0x1122_3344_5566_7788, selector: UInt16 = 8, stack: UInt8 = 0, type: UInt8 = 0x8e) -> [UInt8] {
    let at = { (shift: UInt64) in UInt8(truncatingIfNeeded: offset >> shift) }
    return [at(0), at(8), UInt8(selector & 0xff), UInt8(selector >> 8), stack, type, at(16), at(24), at(32), at(40), at(48), at(56), 0, 0, 0, 0]
  }

  @Test func theFrameIsPushedBelowAnAlignedStack() throws {
    let delivery = try #require(InterruptDelivery(gate: Self.gate(), from: Self.context))
    #expect(delivery.rip == 0x1122_3344_5566_7788)
    #expect(delivery.rsp == 0xffe0 - 40)
    #expect(delivery.frame == [0x1234, 8, 0x10302, 0xffe7, 0x10])
    // TF, RF and IF are gone.
    #expect(delivery.rflags == 0x2)
  }

  @Test func aTrapGateLeavesInterruptsOn() throws {
    #expect(try #require(InterruptDelivery(gate: Self.gate(type: 0x8f), from: Self.context)).rflags == 0x202)
  }

  @Test func whatIsNotKnownIsLeftToOthers() {
    let gates = [
      Self.gate(selector: 0x18), Self.gate(stack: 1), Self.gate(type: 0x0e), Self.gate(type: 0x85), Array(Self.gate().dropLast()),
    ]
    for gate in gates { #expect(InterruptDelivery(gate: gate, from: Self.context) == nil) }
    var user = Self.context
    user.codeSelector = 0x1b
    #expect(InterruptDelivery(gate: Self.gate(selector: 0x1b), from: user) == nil)
  }
}
