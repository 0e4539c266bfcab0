import Analyzer
import Glibc
import Hypervisor
import Testing
import TraceEvents

/// The real hypervisor's decisions under random schedules, judged by the analyzer: correct ones are clean, each fault is found as its entry says.
@Suite struct ModelMachineTests {
  /// From the environment, so that a failure can be run again; every test prints the seed that failed.
  static let seed: UInt64 = unsafe getenv("PAGETAPE_SEED").flatMap { unsafe UInt64(String(cString: $0)) } ?? 1

  private func verdict(_ events: [Event], vcpus: Int) -> Verdict {
    var analyzer = Analyzer(
      Analyzer.Subject(vcpuCount: vcpus, memory: ModelMachine.memory, region: ModelMachine.region, attribution: .everyWrite))
    for event in events { analyzer.consume(event) }
    return analyzer.finish()
  }

  @Test("correct decisions are clean on every schedule", arguments: 1...5)
  func clean(vcpus: Int) {
    var rendezvous = 0
    for seed in Self.seed..<Self.seed + 300 {
      var machine = ModelMachine(vcpus: vcpus, seed: seed)
      let events = machine.run(600)
      rendezvous += events.count { $0.kind == .rendezvousEnd }
      let verdict = verdict(events, vcpus: vcpus)
      #expect(verdict.outcome == .clean, "seed \(seed), \(vcpus) vCPUs: \(verdict.findings)")
      if verdict.outcome != .clean { break }
    }
    #expect(rendezvous > 300)
  }

  @Test(
    "each fault of the stop protocol is found as the rules that its entry names",
    arguments: Fault.allCases.filter { $0.name.hasPrefix("stop/") })
  func fault(_ fault: Fault) {
    let entry = fault.entry
    var found: Set<String> = []
    for vcpus in 2...4 {
      for seed in Self.seed..<Self.seed + 100 {
        var machine = ModelMachine(vcpus: vcpus, seed: seed, faults: FaultSet(fault))
        let verdict = verdict(machine.run(600), vcpus: vcpus)
        let rules = Set(verdict.findings.map(\.rule.name))
        let unnamed = rules.subtracting(entry.rules).subtracting(entry.may)
        #expect(unnamed.isEmpty, "seed \(seed), \(vcpus) vCPUs: \(verdict.findings)")
        if !unnamed.isEmpty { return }
        found.formUnion(rules)
      }
    }
    #expect(found.isSuperset(of: entry.rules), "found \(found)")
  }
}
