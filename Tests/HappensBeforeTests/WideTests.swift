import HappensBefore
import Testing
import TestSeeds

/// Many threads: what the small reference has no room for.
struct WideTests {
  /// The racy events of a trace, by reachability over sets of any size.
  private func racy(_ trace: [Step], _ semantics: RaceDetector.Semantics) -> [Int] {
    var pasts: [[UInt64]] = []
    var (last, forks, releases, sends) = ([Int: Int](), [Int: [Int]](), [Int: [Int]](), [Int: [Int]]())
    var (reads, writes) = ([Int: [Int]](), [Int: [Int]]())
    var racy: [Int] = []
    let words = trace.count / 64 + 1
    func add(_ event: Int, to past: inout [UInt64]) {
      guard past[event >> 6] >> UInt64(event & 63) & 1 == 0 else { return }
      for word in 0...event >> 6 { past[word] |= pasts[event][word] }
      past[event >> 6] |= 1 << UInt64(event & 63)
    }
    for (index, step) in trace.enumerated() {
      var edges = (last[step.thread].map { [$0] } ?? []) + (forks[step.thread] ?? [])
      switch step.operation {
      case .acquire: edges += releases[step.operand] ?? []
      case .receive: edges += sends[step.operand] ?? []
      case .join: edges += (last[step.operand].map { [$0] } ?? []) + (forks[step.operand] ?? [])
      default: break
      }
      var past = [UInt64](repeating: 0, count: words)
      for event in edges.reversed() { add(event, to: &past) }
      var conflicts: [Int] = []
      if step.operation == .read { conflicts = writes[step.operand] ?? [] }
      if step.operation == .write { conflicts = (writes[step.operand] ?? []) + (reads[step.operand] ?? []) }
      if conflicts.contains(where: { trace[$0].thread != step.thread && past[$0 >> 6] >> UInt64($0 & 63) & 1 == 0 }) { racy.append(index) }
      if semantics == .shb, step.operation == .read, let write = writes[step.operand]?.last { add(write, to: &past) }
      pasts.append(past)
      last[step.thread] = index
      switch step.operation {
      case .read: reads[step.operand, default: []].append(index)
      case .write: writes[step.operand, default: []].append(index)
      case .fork: forks[step.operand, default: []].append(index)
      case .release: releases[step.operand, default: []].append(index)
      case .send: sends[step.operand, default: []].append(index)
      case .acquire, .join, .receive: break
      }
    }
    return racy
  }

  private func found(_ trace: [Step], _ semantics: RaceDetector.Semantics, firstTime: UInt32 = 1) -> [Int] {
    var detector = RaceDetector(semantics, firstTime: firstTime)
    return trace.indices.filter { detector.take(trace[$0]) }
  }

  /// A fork tree, then anything by anybody, mostly by few.
  private func trace(threads: Int, events: Int, salt: UInt64) -> [Step] {
    var random = Seed(salt: salt)
    var trace: [Step] = []
    if random.below(2) == 0 { trace = (1..<threads).map { Step(.fork, $0 / 2, $0) } }
    for _ in 0..<events {
      let thread = random.below(3) == 0 ? random.below(threads) : random.below(8) * (threads - 1) / 8
      let kind = Step.Operation.allCases[[0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7][random.below(11)]]
      trace.append(Step(kind, thread, kind == .fork || kind == .join ? random.below(threads) : random.below(6)))
    }
    return trace
  }

  @Test(arguments: [20, 32, 33, 40, 64, 65, 200, 1025])
  func manyThreadsRaceWhereTheReferenceSays(_ threads: Int) {
    for round in 0..<6 {
      let trace = trace(threads: threads, events: 500, salt: UInt64(threads * 100 + round))
      for semantics in RaceDetector.Semantics.allCases {
        let expected = racy(trace, semantics)
        #expect(found(trace, semantics) == expected, "PAGETAPE_SEED=\(Seed.run), \(semantics), round \(round)")
        #expect(!expected.isEmpty)
      }
    }
  }

  /// Where times end, races may be lost, never invented.
  @Test(arguments: RaceDetector.Semantics.allCases)
  func theGreatestTimeInventsNoRace(_ semantics: RaceDetector.Semantics) {
    var lost = 0
    for round in 0..<200 {
      let trace = trace(threads: 2 + round % 7, events: 80, salt: UInt64(900_000 + round))
      let (found, expected) = (found(trace, semantics, firstTime: .max - UInt32(round % 5)), racy(trace, semantics))
      #expect(Set(found).isSubset(of: expected), "PAGETAPE_SEED=\(Seed.run), round \(round)")
      lost += expected.count - found.count
    }
    #expect(lost > 0, "the times did not end: this tests nothing")
  }

  /// 100,000 threads in a fork tree, each of which reads what the first wrote, and writes what its parent reads after joining it.
  @Test func aTreeOfManyThreads() {
    let detector = WatchedDetector(.shb)
    let count = 100_000
    var racy = detector.write(0, by: 0)
    for thread in 1..<Int32(count) { detector.fork(thread, by: (thread - 1) / 2) }
    for thread in stride(from: Int32(count) - 1, to: 0, by: -1) {
      if detector.read(0, by: thread) { racy = true }
      if detector.write(thread, by: thread) { racy = true }
      detector.join(thread, by: (thread - 1) / 2)
      if detector.read(thread, by: (thread - 1) / 2) { racy = true }
    }
    #expect(!racy)
    #expect(detector.clockCount == count)
    #expect(!detector.write(0, by: 0), "the first thread joined its children, they theirs")
    #expect(detector.write(0, by: 1))
  }

  /// A thread that is forked and joined and does nothing is a message: it orders, and takes no clock.
  @Test(arguments: RaceDetector.Semantics.allCases)
  func messagesTakeNoClock(_ semantics: RaceDetector.Semantics) {
    let detector = WatchedDetector(semantics)
    for message in 2..<Int32(50_000) {
      let (from, to) = (message & 1, 1 - message & 1)
      #expect(!detector.write(0, by: from))
      detector.fork(message, by: from)
      detector.join(message, by: to)
    }
    #expect(detector.clockCount == 2)
    #expect(detector.read(0, by: 50_001))
    #expect(detector.clockCount == 3)
  }

  /// A message may be forked by several and joined by several, and may turn out to be a thread after all.
  @Test func aMessageMayComeAlive() {
    let detector = WatchedDetector(.hb)
    #expect(!detector.write(0, by: 0))
    #expect(!detector.write(1, by: 1))
    detector.fork(9, by: 0)
    detector.fork(9, by: 1)
    #expect(!detector.write(2, by: 0))
    #expect(!detector.read(0, by: 9))
    #expect(!detector.read(1, by: 9))
    #expect(detector.read(2, by: 9))
    detector.fork(9, by: 0)
    #expect(!detector.read(2, by: 9), "the second fork of a running thread orders what it does from then on")
    detector.join(9, by: 9)
    detector.fork(9, by: 9)
    #expect(detector.write(0, by: 1))
    detector.join(9, by: 1)
    #expect(!detector.write(1, by: 1))
  }

  /// A variable that a thousand threads read, and then one writes who heard of all of them, or of all but one.
  @Test(arguments: [true, false])
  func readersSpill(_ isComplete: Bool) {
    let detector = WatchedDetector(.hb)
    let readers: Range<Int32> = 1..<1000
    for round in 0..<20 as Range<Int32> {
      for reader in readers { #expect(!detector.read(0, by: reader), "round \(round)") }
      for reader in readers where isComplete || reader != 7 || round < 19 { detector.send(round, by: reader) }
      detector.receive(round, by: 0)
      #expect(detector.write(0, by: 0) == (!isComplete && round == 19))
      detector.send(100 + round, by: 0)
      for reader in readers { detector.receive(100 + round, by: reader) }
    }
  }

  /// Writes that all race, and reads that race with all of them or with one only.
  @Test func writersSpill() {
    let detector = WatchedDetector(.hb)
    for writer in 0..<500 as Range<Int32> { #expect(detector.write(0, by: writer) == (writer > 0)) }
    for writer in 0..<499 as Range<Int32> { detector.send(0, by: writer) }
    detector.receive(0, by: 1000)
    #expect(detector.read(0, by: 1000))
    detector.send(1, by: 499)
    detector.receive(1, by: 1000)
    #expect(!detector.read(0, by: 1000))
    #expect(!detector.write(0, by: 1000))
    #expect(detector.read(0, by: 3))
  }
}
