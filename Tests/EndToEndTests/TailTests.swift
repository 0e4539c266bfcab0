import Analyzer
import Foundation
import TestSeeds
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// The end of a recording, cut off anywhere, is judged by what it shows: what a correct machine did before that is not held against it.
struct TailTests {
  private static let names = [
    "clean-attacks-2", "clean-tree-churn-2", "clean-atomics-4", "clean-stop-storm-4", "clean-stop-storm-exact", "clean-integrity-2", "clean-integrity-4",
    "clean-brief-parallel",
  ]

  /// A tail begins with the loss of all before it, under the number of the last event that was let go of: an alert can name that one as its cause.
  @Test(arguments: names) func aTailOfACorrectRunBreaksNoRule(name: String) throws {
    let reader = try TraceReader(path: CorpusTests.folder.appendingPathComponent("\(name).tape").path)
    let header = reader.header
    let batch = EventBatch()
    var events: [Event] = []
    while reader.nextBatch(into: batch) { events += batch.events }
    let shown = 200
    try #require(events.count > shown * 2)
    var random = Seed(salt: UInt64(events.count))
    var starts = (0..<150).map { _ in random.below(events.count - shown) }
    // Between what calls for an alert and the alert, wherever that is.
    let causes = events.filter { $0.kind == .alert && $0.cause > 0 }.map { Int($0.cause) - 1 }
    starts += causes.filter { $0 < events.count - shown }.prefix(100)
    for start in starts {
      let last = events[start]
      var analyzer = Analyzer(Analyzer.Subject(header))
      analyzer.consume(Event(.eventsLost, vcpu: Event.host, seq: last.seq, time: last.time, a: last.seq, b: LossCause.flightRecorder.rawValue))
      for event in events[start + 1...start + shown] { analyzer.consume(event) }
      let verdict = analyzer.finish(isComplete: false)
      let rules = Set(verdict.findings.map(\.rule))
      try #require(rules == [Rule.traceLost], "PAGETAPE_SEED=\(Seed.run), from \(last.seq): \(verdict.findings)")
    }
  }
}
