import HappensBefore
import Testing
import TestSeeds

/// The detector against the reference: the same racy events, under both semantics, on every trace.
struct ReferenceTests {
  /// Where the two differ, the first few traces, told in full.
  static func differences(_ count: Int, _ trace: (Int) -> [Step]) -> (told: [String], races: Int) {
    var told: [String] = []
    var races = 0
    for number in 0..<count {
      let steps = trace(number)
      for semantics in RaceDetector.Semantics.allCases {
        let (found, expected) = (RaceDetector.racy(steps, semantics), ReferenceOrder.racy(steps, semantics))
        races += expected.nonzeroBitCount
        guard found != expected, told.count < 3 else { continue }
        told.append("\(semantics) found \(String(found, radix: 2)), expected \(String(expected, radix: 2)) in \(steps)")
      }
    }
    return (told, races)
  }

  @Test(arguments: 0..<8)
  func randomProgramsRaceWhereTheReferenceSays(_ part: Int) {
    let result = Self.differences(7_500) { RandomTrace.wellFormed(UInt64(part * 1_000_000 + $0)) }
    #expect(result.told.isEmpty, "PAGETAPE_SEED=\(Seed.run)")
    #expect(result.races > 10_000)
  }

  @Test(arguments: 0..<8)
  func randomEventsRaceWhereTheReferenceSays(_ part: Int) {
    let result = Self.differences(7_500) { RandomTrace.odd(UInt64(100_000_000 + part * 1_000_000 + $0)) }
    #expect(result.told.isEmpty, "PAGETAPE_SEED=\(Seed.run)")
    #expect(result.races > 10_000)
  }

  /// Every interleaving of every program of two threads with two events each, out of two variables' accesses, a lock, a message, fork and join.
  @Test func everyInterleavingOfEverySmallProgram() {
    let alphabet: [(Step.Operation, Int)] = [
      (.read, 0), (.write, 0), (.write, 1), (.acquire, 0), (.release, 0), (.send, 0), (.receive, 0), (.fork, 1), (.join, 1),
    ]
    let count = alphabet.count
    var traces: [[Step]] = []
    for program in 0..<count * count * count * count {
      let digits = [program % count, program / count % count, program / (count * count) % count, program / (count * count * count)]
      let threads = [0, 1].map { thread in [0, 1].map { Step(alphabet[digits[thread * 2 + $0]].0, thread, alphabet[digits[thread * 2 + $0]].1) } }
      Self.interleave(threads) { traces.append($0) }
    }
    #expect(traces.count == 6561 * 6)
    let result = Self.differences(traces.count) { traces[$0] }
    #expect(result.told.isEmpty)
    #expect(result.races > 0)
  }

  /// Programs of two and three threads with up to four events each.
  static let programs: [[[Step]]] = [
    // Two critical sections, and an access outside.
    [
      [Step(.acquire, 0, 0), Step(.write, 0, 0), Step(.release, 0, 0), Step(.read, 0, 1)],
      [Step(.acquire, 1, 0), Step(.read, 1, 0), Step(.release, 1, 0), Step(.write, 1, 1)],
      [Step(.write, 2, 0), Step(.read, 2, 1)],
    ],
    // A flag without a lock: the second race is an artifact under hb only.
    [
      [Step(.write, 0, 0), Step(.write, 0, 1)], [Step(.read, 1, 1), Step(.read, 1, 0), Step(.write, 1, 0)], [Step(.read, 2, 0), Step(.write, 2, 1)],
    ],
    // A message handed on.
    [
      [Step(.write, 0, 0), Step(.send, 0, 0), Step(.write, 0, 1)], [Step(.receive, 1, 0), Step(.read, 1, 0), Step(.send, 1, 1)],
      [Step(.receive, 2, 1), Step(.write, 2, 0), Step(.read, 2, 1)],
    ],
    // Two senders of one message.
    [
      [Step(.write, 0, 0), Step(.send, 0, 0), Step(.read, 0, 2)], [Step(.write, 1, 1), Step(.send, 1, 0), Step(.write, 1, 2)],
      [Step(.receive, 2, 0), Step(.write, 2, 0), Step(.write, 2, 1), Step(.read, 2, 2)],
    ],
    // Forks and joins, of a thread that may already run.
    [
      [Step(.write, 0, 0), Step(.fork, 0, 1), Step(.join, 0, 1), Step(.write, 0, 1)], [Step(.read, 1, 0), Step(.write, 1, 1)],
      [Step(.fork, 2, 1), Step(.join, 2, 0), Step(.read, 2, 1)],
    ],
    // Nothing but accesses: all spills there are.
    [
      [Step(.read, 0, 0), Step(.write, 0, 0), Step(.read, 0, 0)], [Step(.read, 1, 0), Step(.write, 1, 0), Step(.read, 1, 0)],
      [Step(.read, 2, 0), Step(.write, 2, 0), Step(.read, 2, 0)],
    ],
    // A lock released by a thread that never took it.
    [
      [Step(.write, 0, 0), Step(.release, 0, 0), Step(.write, 0, 1)], [Step(.write, 1, 1), Step(.release, 1, 0), Step(.read, 1, 0)],
      [Step(.acquire, 2, 0), Step(.write, 2, 0), Step(.write, 2, 1)],
    ],
  ]

  @Test(arguments: programs.indices)
  func everyInterleavingOfAProgram(_ index: Int) {
    var traces: [[Step]] = []
    Self.interleave(Self.programs[index]) { traces.append($0) }
    #expect(traces.count > 100)
    let result = Self.differences(traces.count) { traces[$0] }
    #expect(result.told.isEmpty)
    #expect(result.races > 0)
  }

  /// Calls the body with each way to run the threads of a program, event by event.
  static func interleave(_ program: [[Step]], _ body: ([Step]) -> Void) {
    var next = program.map { _ in 0 }
    var steps: [Step] = []
    func run() {
      var isDone = true
      for thread in program.indices where next[thread] < program[thread].count {
        isDone = false
        steps.append(program[thread][next[thread]])
        next[thread] += 1
        run()
        next[thread] -= 1
        steps.removeLast()
      }
      if isDone { body(steps) }
    }
    run()
  }
}
