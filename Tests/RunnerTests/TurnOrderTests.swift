import Runner
import Testing

/// Whose turn it is, with no thread and no guest.
@Suite struct TurnOrderTests {
  private static func holders(_ seed: UInt64, count: Int = 4, turns: Int = 200) -> [Int?] {
    var order = TurnOrder(vcpuCount: count, seed: seed)
    return (0..<turns).map { _ in
      order.pass()
      return order.holder
    }
  }

  @Test func aSeedGivesOneOrder() {
    #expect(Self.holders(7) == Self.holders(7))
    #expect(Set((0..<100).map { Self.holders($0) }).count == 100)
    #expect(Set(Self.holders(7)) == [0, 1, 2, 3])
  }

  @Test func whoWaitsIsPassedOver() {
    var order = TurnOrder(vcpuCount: 3, seed: 1)
    order.block(1)
    for _ in 0..<50 {
      order.pass()
      #expect(order.holder != 1)
    }
    order.unblock(1)
    #expect((0..<50).contains { _ in
      order.pass()
      return order.holder == 1
    })
  }

  @Test func whoYieldsIsPassedOverUnlessAlone() {
    var order = TurnOrder(vcpuCount: 2, seed: 1)
    for _ in 0..<20 {
      let before = order.holder
      order.pass(yielding: true)
      #expect(order.holder != before)
    }
    order.block(0)
    #expect(order.holder == 1 && !order.others)
    order.pass(yielding: true)
    #expect(order.holder == 1)
  }

  @Test func nobodyAndThenSomebody() {
    var order = TurnOrder(vcpuCount: 2, seed: 1)
    order.block(0)
    order.block(1)
    #expect(order.holder == nil)
    order.unblock(1)
    #expect(order.holder == 1)
    order.unblock(0)
    #expect(order.holder == 1)
  }
}
