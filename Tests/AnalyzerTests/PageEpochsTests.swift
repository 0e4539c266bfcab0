import HappensBefore
import TestSeeds
import Testing
import TraceEvents
import TraceOrder

@testable import Analyzer

/// What is kept of the ordinary writes of a page, against all of them.
@Suite struct PageEpochsTests {
  static let pages: [UInt64] = [0x800, 0x801, 0x1802]
  static let seed = Seed.base(4_711)

  /// Random writes, and interrupts that order some of them.
  static func events(vcpus: Int, _ count: Int, _ random: inout Seed) -> [Event] {
    var raised: [(seq: UInt64, target: UInt16, vector: UInt64)] = []
    return (1...UInt64(count)).map { seq in
      let vcpu = UInt16(random.below(vcpus))
      if !raised.isEmpty, random.chance(25) {
        let one = raised.remove(at: random.below(raised.count))
        return Event(.interruptDeliver, vcpu: one.target, seq: seq, cause: one.seq, a: one.vector)
      }
      if random.chance(30) {
        // A vector of its own each, so that none coalesces.
        raised.append((seq, UInt16(random.below(vcpus)), seq))
        return Event(.interruptRaise, vcpu: vcpu, seq: seq, a: UInt64(raised[raised.count - 1].target), b: seq)
      }
      return Event(.pageWrite, vcpu: vcpu, seq: seq, gpa: pages[random.below(pages.count)] << 12, a: 1)
    }
  }

  @Test("what is dropped is known to everybody that knows of what is kept", arguments: [2, 3, 8, 40])
  func dropsOnlyWhatIsKnown(vcpus: Int) {
    let memory = GuestRange(start: 0, length: 64 << 20)
    let region = GuestRange(start: 1 << 30, length: 4096)
    let subject = Analyzer.Subject(vcpuCount: vcpus, memory: [memory], region: region, attribution: .everyWrite)
    var random = Seed(Self.seed + UInt64(vcpus))
    var dropped = 0
    for round in 0..<60 {
      var analyzer = Analyzer(subject)
      var clocks = TraceClocks(vcpuCount: vcpus)
      var writes: [UInt64: [Clocks.Epoch]] = [:]
      for event in Self.events(vcpus: vcpus, 20 + random.below(40 * vcpus), &random) {
        analyzer.consume(event)
        if event.kind == .pageWrite { writes[event.gpa >> 12, default: []].append(clocks.epoch(of: event.vcpu)) } else { clocks.take(event) }
      }
      for page in Self.pages {
        let all = writes[page] ?? []
        let kept = analyzer.scout.pages.take(page, for: 0).map { Clocks.Epoch(thread: Int32($0.vcpu), time: $0.time) }
        dropped += Set(all).count - kept.count
        for vcpu in 0..<UInt16(vcpus) {
          let isEveryWriteKnown = all.allSatisfy { clocks.isOrdered($0, before: vcpu) }
          let isAllThatIsKeptKnown = kept.allSatisfy { clocks.isOrdered($0, before: vcpu) }
          #expect(isEveryWriteKnown == isAllThatIsKeptKnown, "PAGETAPE_SEED=\(Self.seed), round \(round), page \(page), vCPU \(vcpu)")
        }
      }
    }
    #expect(dropped > 100)
  }
}
