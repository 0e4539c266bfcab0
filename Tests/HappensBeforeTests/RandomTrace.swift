import TestSeeds

/// A random trace of 5 to 40 events: one that a program could have, or one where anything goes.
struct RandomTrace {
  private var random: Seed
  private let threads: Int
  private let variables: Int
  private let locks: Int
  private(set) var steps: [Step] = []
  /// Who holds each lock; -1 for nobody.
  private var holders: [Int]
  private var started: [Bool]
  private var ended: [Bool]

  static func wellFormed(_ salt: UInt64) -> [Step] {
    var trace = RandomTrace(salt)
    let count = 5 + trace.random.below(36)
    for _ in 0..<count { trace.addWellFormed() }
    return trace.steps
  }

  static func odd(_ salt: UInt64) -> [Step] {
    var trace = RandomTrace(salt)
    let count = 5 + trace.random.below(36)
    for _ in 0..<count { trace.addAnything() }
    return trace.steps
  }

  private init(_ salt: UInt64) {
    random = Seed(salt: salt)
    threads = 2 + random.below(5)
    variables = 1 + random.below(4)
    locks = 1 + random.below(2)
    holders = [Int](repeating: -1, count: locks)
    let atStart = 1 + random.below(threads)
    started = (0..<threads).map { $0 < atStart }
    ended = [Bool](repeating: false, count: threads)
  }

  private mutating func addAnything() {
    let thread = random.below(threads)
    switch random.below(16) {
    case 0..<4: steps.append(Step(.read, thread, random.below(variables)))
    case 4..<8: steps.append(Step(.write, thread, random.below(variables)))
    case 8, 9: steps.append(Step(.acquire, thread, random.below(locks)))
    case 10, 11: steps.append(Step(.release, thread, random.below(locks)))
    case 12: steps.append(Step(.fork, thread, random.below(threads)))
    case 13: steps.append(Step(.join, thread, random.below(threads)))
    case 14: steps.append(Step(.send, thread, random.below(2)))
    default: steps.append(Step(.receive, thread, random.below(2)))
    }
  }

  /// Locks are held by one thread at a time; threads run after their fork, and not after somebody joined them.
  private mutating func addWellFormed() {
    var thread = random.below(threads)
    while !started[thread] || ended[thread] { thread = (thread + 1) % threads }
    let lock = random.below(locks)
    let other = random.below(threads)
    switch random.below(16) {
    case 0..<4: steps.append(Step(.read, thread, random.below(variables)))
    case 4..<8: steps.append(Step(.write, thread, random.below(variables)))
    case 8..<12 where holders[lock] == thread:
      steps.append(Step(.release, thread, lock))
      holders[lock] = -1
    case 8..<12 where holders[lock] < 0:
      steps.append(Step(.acquire, thread, lock))
      holders[lock] = thread
    case 12 where !started[other]:
      steps.append(Step(.fork, thread, other))
      started[other] = true
    case 13 where started[other] && !ended[other] && other != thread && !holders.contains(other):
      steps.append(Step(.join, thread, other))
      ended[other] = true
    case 14: steps.append(Step(.send, thread, random.below(2)))
    case 15: steps.append(Step(.receive, thread, random.below(2)))
    default: steps.append(Step(.read, thread, random.below(variables)))
    }
  }
}
