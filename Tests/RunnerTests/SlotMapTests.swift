import Glibc
import Runner
import Testing

struct SlotMapTests {
  private typealias Run = SlotMap.Run

  @Test func carvingAndMending() {
    var map = SlotMap(pageCount: 100)
    let carve = map.planned(true, 10..<12)
    #expect(carve.remove.count == 1)
    #expect(carve.add.map(\.first) == [0, 10, 12])
    #expect(carve.add.map(\.traced) == [false, true, false])
    map.apply(carve)
    // A neighbour joins: two slots change, not three.
    let widen = map.planned(true, 12..<13)
    #expect(widen.remove.count == 2)
    #expect(widen.add.map(\.first) == [10, 13])
    map.apply(widen)
    #expect(map.planned(true, 10..<13).isEmpty)
    let mend = map.planned(false, 10..<13)
    #expect(mend.remove.count == 3)
    #expect(mend.add.map(\.count) == [100])
    map.apply(mend)
    #expect(map.runs.count == 1)
  }

  /// Against the plainest model: one flag a page.
  @Test func agreesWithOneFlagAPage() {
    let seed = unsafe getenv("PAGETAPE_SEED").flatMap { unsafe UInt64(String(cString: $0)) } ?? 1
    print("seed \(seed)")
    var state = seed
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var map = SlotMap(pageCount: 64)
    var flags = Array(repeating: false, count: 64)
    var live: [UInt32: Range<Int>] = [1: 0..<64]
    for _ in 0..<3000 {
      let start = random(64)
      let range = start..<start + 1 + random(min(8, 64 - start))
      let traced = random(2) == 0
      let plan = map.planned(traced, range)
      map.apply(plan)
      for page in range { flags[page] = traced }
      for run in plan.remove { #expect(live.removeValue(forKey: run.slot) == run.first..<run.end) }
      for run in plan.add { #expect(live.updateValue(run.first..<run.end, forKey: run.slot) == nil) }
      #expect(flags.indices.allSatisfy { map.isTraced($0) == flags[$0] })
      #expect(live.values.map(\.count).reduce(0, +) == 64)
      #expect(live.allSatisfy { map.firstPage[Int($0.key)] == $0.value.lowerBound })
      #expect(zip(map.runs, map.runs.dropFirst()).allSatisfy { $0.traced != $1.traced && $0.end == $1.first })
      #expect(map.firstPage.count <= 66, "slot numbers are used again")
    }
  }
}
