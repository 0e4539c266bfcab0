import Hypervisor

/// Walks through every interleaving from a state on, each state once.
struct Explorer {
  /// How a state was reached.
  final class Path {
    let action: World.Action
    let before: Path?

    init(_ action: World.Action, after before: Path?) {
      self.action = action
      self.before = before
    }

    var description: String {
      var steps: [String] = []
      var at: Path? = self
      while let step = at {
        steps.append("\(step.action)")
        at = step.before
      }
      return steps.reversed().joined(separator: "\n")
    }
  }

  struct Fingerprint: Hashable {
    var low: Int
    var high: Int

    init(_ world: World) {
      var hasher = Hasher()
      world.hash(into: &hasher)
      low = hasher.finalize()
      hasher = Hasher()
      hasher.combine(0x9e37_79b9)
      world.hash(into: &hasher)
      high = hasher.finalize()
    }
  }

  struct Finding {
    var rules: [String]
    var path: Path?
  }

  private(set) var states = 0
  private(set) var transitions = 0
  /// Every rule that some interleaving breaks.
  private(set) var broken: Set<String> = []
  /// The rules that are the first to be broken on some interleaving.
  private(set) var first: Set<String> = []
  private(set) var finding: Finding?
  /// Go on after a rule is broken.
  var goesOn = false

  mutating func explore(_ start: World, limit: Int = .max) {
    var seen: Set<Fingerprint> = [Fingerprint(start)]
    var stack: [(world: World, path: Path?, isBroken: Bool)] = [(start, nil, false)]
    while let (world, path, wasBroken) = stack.popLast() {
      states += 1
      if states >= limit { return }
      if world.isAtRest {
        let rules = world.model.judgeRest()
        if !rules.isEmpty { note(rules, path, isFirst: !wasBroken) }
      }
      for action in world.actions {
        var next = world
        transitions += 1
        let rules = next.perform(action)
        let here = Path(action, after: path)
        if !rules.isEmpty {
          note(rules, here, isFirst: !wasBroken)
          if !goesOn { continue }
        }
        if seen.insert(Fingerprint(next)).inserted { stack.append((next, here, wasBroken || !rules.isEmpty)) }
      }
    }
  }

  private mutating func note(_ rules: [String], _ path: Path?, isFirst: Bool) {
    broken.formUnion(rules)
    if isFirst, let rule = rules.first { first.insert(rule) }
    if finding == nil { finding = Finding(rules: rules, path: path) }
  }
}
