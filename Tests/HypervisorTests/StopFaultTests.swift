import Hypervisor
import Testing

/// Every fault of the stop protocol is found by the same judge that finds nothing without one.
@Suite struct StopFaultTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var fault: Fault
    var vcpus: Int
    var online: Int
    var budget: World.Budget

    var testDescription: String { fault.name }
  }

  static let cases: [Case] = [
    Case(fault: .enterBeforeAcks, vcpus: 2, online: 2, budget: .init(raises: 2)),
    Case(fault: .mapEarly, vcpus: 2, online: 2, budget: .init(raises: 2)),
    Case(fault: .resumeNotLast, vcpus: 2, online: 2, budget: .init(raises: 2)),
    Case(fault: .earlyUnmap, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .lateUnmap, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .doubleResume, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .loseInterrupt, vcpus: 2, online: 2, budget: .init(raises: 2)),
    Case(fault: .forgetHalt, vcpus: 2, online: 2, budget: .init(raises: 1, halts: 1)),
    Case(fault: .bornRunning, vcpus: 3, online: 2, budget: .init(raises: 1, starts: 1)),
    Case(fault: .mapLate, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .resumeEarly, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .runStopped, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .wrongNumber, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .wakeOnInterrupt, vcpus: 2, online: 2, budget: .init(raises: 1, interrupts: 1)),
    Case(fault: .forgetHypercall, vcpus: 2, online: 2, budget: .init(raises: 1, yields: 1)),
    Case(fault: .doubleFirst, vcpus: 2, online: 2, budget: .init(raises: 2)),
    Case(fault: .doubleStop, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .forgetResume, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .unaskedAck, vcpus: 2, online: 2, budget: .init(raises: 2)),
    Case(fault: .uninvited, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .skipPeer, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .skipStops, vcpus: 2, online: 2, budget: .init(raises: 1)),
    Case(fault: .countOneAck, vcpus: 3, online: 3, budget: .init(raises: 1)),
  ]

  /// What this judge calls differently, or counts as a consequence.
  static let consequences: Set<String> = ["stop/spurious-ack", "stop/double-first", "stop/lost-signal"]

  @Test(arguments: cases) func someInterleavingBreaksItsRules(_ test: Case) {
    var explorer = Explorer()
    explorer.goesOn = true
    explorer.explore(World(vcpus: test.vcpus, online: test.online, budget: test.budget, faults: FaultSet(test.fault)), limit: 100_000)
    let entry = test.fault.entry
    #expect(Set(entry.rules).isSubset(of: explorer.broken), "found \(explorer.broken.sorted())")
    #expect(explorer.first.isSubset(of: Set(entry.rules + entry.may)), "first to be broken: \(explorer.first.sorted())")
    #expect(
      explorer.broken.isSubset(of: Set(entry.rules + entry.may).union(Self.consequences)), "broken: \(explorer.broken.sorted())")
  }

  /// A start that is lost breaks nothing that this judge knows, and the region takes more than this world has: `ModelMachineTests` has both.
  static let elsewhere: Set<Fault> = [.loseStart, .serveRegion]

  @Test func everyFaultOfTheProtocolIsTested() {
    let named = Set(Self.cases.map(\.fault)).union(Self.elsewhere)
    for fault in Fault.allCases where fault.name.hasPrefix("stop/") { #expect(named.contains(fault), "\(fault.name)") }
  }

  /// A fault that needs a second vCPU shows nothing with one.
  @Test(arguments: [Fault.enterBeforeAcks, .mapEarly, .resumeNotLast, .lateUnmap, .doubleResume])
  func oneVCPUAloneBreaksNothing(_ fault: Fault) {
    var explorer = Explorer()
    explorer.explore(World(vcpus: 1, online: 1, budget: .init(raises: 3, halts: 1), faults: FaultSet(fault)))
    #expect(explorer.broken.isEmpty, "\(explorer.broken)")
  }
}
