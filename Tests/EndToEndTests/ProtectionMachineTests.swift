import Analyzer
import Hypervisor
import Testing
import TraceEvents

/// The real hypervisor's protection of pages, judged by the analyzer: what it decides is clean, and each fault is found as its entry says.
@Suite struct ProtectionMachineTests {
  private func verdict(_ events: [Event]) -> Verdict {
    var analyzer = Analyzer(
      Analyzer.Subject(
        vcpuCount: 2, memory: ProtectionMachine.memory, region: ProtectionMachine.region, attribution: .everyWrite))
    for event in events { analyzer.consume(event) }
    return analyzer.finish()
  }

  @Test func `a driver and an attacker break nothing`() {
    var alerts = 0
    for seed in ModelMachineTests.seed..<ModelMachineTests.seed + 20 {
      var machine = ProtectionMachine(seed: seed)
      let events = machine.run(rounds: 40)
      alerts += events.count { $0.kind == .alert }
      let verdict = verdict(events)
      #expect(verdict.findings.isEmpty && verdict.outcome == .clean, "seed \(seed): \(verdict.findings)")
      if !verdict.findings.isEmpty { return }
    }
    #expect(alerts > 150)
  }

  @Test(
    "each fault of protection is found as the rules that its entry names",
    arguments: Fault.allCases.filter { !$0.name.hasPrefix("stop/") })
  func fault(_ fault: Fault) {
    let entry = fault.entry
    var found: Set<String> = []
    for seed in ModelMachineTests.seed..<ModelMachineTests.seed + 10 {
      var machine = ProtectionMachine(seed: seed, faults: FaultSet(fault))
      let verdict = verdict(machine.run(rounds: 40))
      let rules = Set(verdict.findings.map(\.rule.name))
      let unnamed = rules.subtracting(entry.rules).subtracting(entry.may)
      #expect(unnamed.isEmpty, "seed \(seed): \(verdict.findings.filter { unnamed.contains($0.rule.name) })")
      if !unnamed.isEmpty { return }
      found.formUnion(rules)
    }
    #expect(found.isSuperset(of: entry.rules) && !found.isEmpty, "found \(found)")
  }
}
