import Analyzer
import Foundation
import Races
import Runner
import Testing
import TraceEvents
import TraceFile

/// What the pages for users of the library show does what they say.
struct SampleTests {
  private static func path(_ name: String) -> String { StoredTraceTests.folder + "/" + name }

  /// In a folder of its own, gone when `body` is done.
  private func recorded(_ record: (String) throws -> RecordingSummary, _ body: (RecordingSummary, TraceReader) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pagetape-library-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("guest.tape").path
    try body(try record(path), try TraceReader(path: path))
  }

  private static let isKVMThere = (try? HostSupport.check()) != nil

  @Test("a built-in guest is recorded and judged", .enabled(if: isKVMThere, "this host cannot run guests"))
  func builtIn() throws {
    try recorded(recordStorm) { summary, trace in
      #expect(summary.endReason == .guestFinished && summary.lost == 0)
      let verdict = Verdict(of: trace, judges: [try PromptStop(within: .max)])
      #expect(verdict.outcome == .clean && verdict.events == summary.events)
      #expect(!events(of: .stopAck, in: trace).isEmpty)
    }
  }

  @Test("a guest of one's own is recorded", .enabled(if: isKVMThere, "this host cannot run guests"))
  func ownGuest() throws {
    try recorded(recordOneWrite) { summary, trace in
      #expect(summary.endReason == .guestFinished)
      let writes = events(of: .pageWrite, in: trace)
      #expect(writes.contains { $0.gpa == 0x20_0000 })
      #expect(Verdict(of: trace).outcome == .clean)
    }
  }

  @Test("events that another hypervisor writes are judged")
  func written() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pagetape-library-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("own.tape").path
    try writeEarlyMap(to: path)
    let verdict = Verdict(of: try TraceReader(path: path))
    #expect(verdict.findings.map(\.rule.name) == ["stop/region-exposed"] && verdict.findings.first?.seq == 12, "\(verdict)")
  }

  @Test("a trace is judged, and its findings are looked at")
  func judging() throws {
    let path = Self.path("fault-stop-map-early.min.tape")
    #expect(try judge(path).hasPrefix("violated  \(path)"))
    let lines = broken(Verdict(of: try TraceReader(path: path)))
    #expect(lines.first?.hasPrefix("stop/region-exposed broke ") == true && lines.first?.contains(" [") == true, "\(lines)")
    #expect(try soundness(of: path) == lines)
  }

  @Test("damage is told, and the rest is judged")
  func damage() throws {
    let lines = try soundness(of: Self.path("damaged-flipped.tape"))
    #expect(lines.count > 1 && lines[0].hasPrefix("nothing is broken in ") && lines[1].hasPrefix("block: bytes "), "\(lines)")
    #expect(try soundness(of: Self.path("clean-stop-storm-4.tape")).isEmpty)
    #expect(throws: TraceFileError.self) { try soundness(of: Self.path("damaged-text.tape")) }
  }

  @Test("whatever was read of a trace before, it is judged from its start")
  func order() throws {
    let trace = try TraceReader(path: Self.path("clean-stop-storm-4.tape"))
    let acks = events(of: .stopAck, in: trace)
    let verdict = Verdict(of: trace)
    #expect(verdict.events == trace.eventCount && !acks.isEmpty)
    #expect(events(of: .stopAck, in: trace) == acks && "\(Verdict(of: trace))" == "\(verdict)")
  }

  @Test("a rule of one's own breaks where it breaks")
  func ownRule() throws {
    let path = Self.path("clean-stop-storm-4.tape")
    #expect(try judgePromptness(path, within: 60_000_000_000).outcome == .clean)
    let verdict = try judgePromptness(path, within: 0)
    let finding = try #require(verdict.findings.first)
    #expect(verdict.outcome == .violated && verdict.findings.count == 1 && finding.rule.name == "acme/prompt-stop")
    #expect(finding.because.contains { $0.what.contains("sent the stop signal") } && finding.vcpu != nil)
    // Of a file that breaks off, what is still owed is left open.
    let cut = try judgePromptness(Self.path("damaged-truncated.tape"), within: 60_000_000_000)
    #expect(cut.outcome == .incomplete)
  }

  @Test("a warning does not change the outcome")
  func warning() throws {
    let trace = try TraceReader(path: Self.path("clean-tree-churn-2.tape"))
    #expect(Verdict(of: trace, judges: [try NoUnprotectInMode()]).outcome == .clean)
  }

  @Test("the engine finds the access without a lock")
  func happensBefore() {
    #expect(findRaces() == [false, false, true])
  }
}
