import Hypervisor
import Testing

/// Every interleaving of the stop protocol, for 2 and 3 vCPUs and guests that do a few things each.
@Suite struct StopProtocolTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var vcpus: Int
    var online: Int
    var budget: World.Budget
    var isRaisingInMode = true

    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "1 vCPU, 3 requests", vcpus: 1, online: 1, budget: .init(raises: 3, halts: 1, entries: 1, yields: 1)),
    Case(name: "2 vCPUs, 4 requests", vcpus: 2, online: 2, budget: .init(raises: 4)),
    Case(name: "2 vCPUs, 2 requests, halts and interrupts", vcpus: 2, online: 2, budget: .init(raises: 2, interrupts: 2, halts: 2)),
    Case(name: "2 vCPUs, 2 requests, integrity mode and hypercalls", vcpus: 2, online: 2, budget: .init(raises: 2, entries: 1, yields: 1)),
    Case(name: "2 vCPUs, one comes and goes", vcpus: 2, online: 1, budget: .init(raises: 2, halts: 1, starts: 1, offlines: 1)),
    Case(name: "3 vCPUs, 3 requests", vcpus: 3, online: 3, budget: .init(raises: 3)),
    Case(name: "3 vCPUs, 1 request, one goes, hypercalls", vcpus: 3, online: 3, budget: .init(raises: 1, offlines: 1, yields: 1)),
    Case(name: "3 vCPUs, 2 requests, one comes", vcpus: 3, online: 2, budget: .init(raises: 2, starts: 1), isRaisingInMode: false),
  ]

  @Test(arguments: cases) func everyInterleavingKeepsTheRules(_ test: Case) {
    var start = World(vcpus: test.vcpus, online: test.online, budget: test.budget)
    start.canRaiseInMode = test.isRaisingInMode
    var explorer = Explorer()
    explorer.explore(start)
    let path = explorer.finding?.path?.description ?? ""
    #expect(explorer.broken.isEmpty, "\(explorer.finding?.rules ?? []) after\n\(path)")
    #expect(explorer.states > 100)
    print("\(test.name): \(explorer.states) states, \(explorer.transitions) transitions")
  }
}
