import Hypervisor
import TestSeeds
import Testing

/// Long random runs, where every interleaving is too many.
@Suite struct RandomRunTests {
  @Test(arguments: [4, 5, 8, 64]) func longRunsKeepTheRules(_ vcpus: Int) {
    let seed = Seed.run
    var generator = Seed(seed &+ UInt64(vcpus))
    let endless = 1 << 40
    let budget = World.Budget(
      raises: endless, interrupts: endless, halts: endless, starts: endless, offlines: vcpus / 4, entries: endless, yields: endless)
    var world = World(vcpus: vcpus, online: vcpus - vcpus / 4, budget: budget, numbering: .counted)
    var rendezvous = world.model.number
    for index in 0..<20_000 {
      // A handler that asks for the mode again and again keeps its rendezvous going: mostly it does not.
      world.canRaiseInMode = Int.random(in: 0..<100, using: &generator) == 0
      let all = world.actions
      let forced = Bool.random(using: &generator) ? all.filter(\.isForced) : []
      guard let action = (forced.isEmpty ? all : forced).randomElement(using: &generator) else {
        // Everyone is halted: something comes from outside.
        let target = Int.random(in: 0..<vcpus, using: &generator)
        let rules = world.interruptFromHost(target, isPrivileged: Bool.random(using: &generator))
        #expect(rules.isEmpty, "\(rules) after an interrupt from the host, action \(index), seed \(seed)")
        continue
      }
      let rules = world.perform(action)
      guard rules.isEmpty else {
        Issue.record("\(rules) after \(action), action \(index), seed \(seed)")
        return
      }
    }
    #expect(world.model.number > rendezvous + (vcpus > 8 ? 1 : 10), "seed \(seed)")
    // The guests are quiet now: everything that is under way comes to an end.
    rendezvous = world.model.number
    world.budget = World.Budget()
    for _ in 0..<100_000 {
      if world.isAtRest { break }
      guard let action = world.actions.filter(\.isForced).randomElement(using: &generator) else { break }
      let rules = world.perform(action)
      #expect(rules.isEmpty, "\(rules) after \(action), seed \(seed)")
    }
    #expect(world.isAtRest, "seed \(seed)")
    #expect(world.model.judgeRest() == [], "seed \(seed)")
    // Each latched interrupt is served at the latest once those before it in the queue have had their rendezvous.
    #expect(world.model.number - rendezvous <= UInt64(vcpus), "seed \(seed)")
  }
}

extension World.Action {
  /// Not the guest's choice.
  var isForced: Bool {
    switch self {
    case .step, .kicked, .leave: true
    default: false
    }
  }
}
