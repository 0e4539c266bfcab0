import Foundation
import Testing

/// `pagetape minimize`, as a user runs it, on the stored recordings.
struct MinimizeCommandTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  /// One or two of each group; the others are minimized from model machines.
  private static let names = [
    "fault-stop-map-early", "fault-stop-enter-before-acks", "fault-stop-resume-not-last", "fault-tree-skip-node-trace", "fault-alert-drop",
    "fault-integrity-accept-any-entry", "race-foretold",
  ].map { $0 + ".tape" }

  private static func path(_ name: String) -> String { CorpusTests.folder.appendingPathComponent(name).path }

  @Test("every finding of a really recorded fault shows in less than a hundred events", arguments: names)
  func recorded(name: String) throws {
    let whole = try VerdictReport(replaying: Self.path(name))
    #expect(!whole.findings.isEmpty)
    for finding in whole.findings {
      let small = folder.file("small.tape").path
      let result = try Tool.run("minimize", Self.path(name), "--rule", finding.rule, "-o", small, "--force")
      #expect(result.status == 0 && result.error.isEmpty, "\(result.error)")
      let report = try VerdictReport(replaying: small)
      #expect(report.events < 100 && report.lost == 0, "\(finding.rule): \(report.events) events")
      let found = try #require(report.findings.first { $0.rule == finding.rule })
      #expect(found.vcpu == finding.vcpu && found.gpa == finding.gpa && found.rip == finding.rip)
      #expect(Set(report.findings.map(\.rule)).isSubset(of: whole.findings.map(\.rule)))
      #expect(result.output.contains("shows \(finding.rule) at event \(found.seq), which was \(finding.seq)"), "\(result.output)")
    }
  }

  @Test func everyVerbReadsTheResult() throws {
    let small = folder.file("small.tape").path
    #expect(try Tool.run("minimize", Self.path("fault-stop-map-early.tape"), "--rule", "stop/*", "-o", small).status == 0)
    for arguments in [["info"], ["dump"], ["replay", "--at", "3"], ["races"], ["export", "--format", "std"], ["blame", "0x400000"]] {
      let result = try Tool.run([arguments[0], small] + arguments[1...])
      #expect(result.status == 0 && !result.output.isEmpty, "\(arguments): \(result.error)")
    }
    let digest = try #require(try Tool.run("info", Self.path("fault-stop-map-early.tape")).output.firstMatch(of: /digest +([0-9a-f]{32})/)).1
    #expect(try Tool.run("info", small).output.contains("minimized-from \(digest)"))
  }

  @Test func badUseIsStatusTwoAndWritesNothing() throws {
    let small = folder.file("small.tape")
    let first = try #require(try VerdictReport(replaying: Self.path("fault-stop-map-early.tape")).findings.first { $0.rule == "stop/region-exposed" }).seq
    let cases = [
      (["--rule", "tree/*"], "nothing that matches 'tree/*' is found; there is stop/region-exposed at \(first)"),
      (["--rule", "stop/*", "--at", "1"], "nothing that matches 'stop/*' is found at event 1; there is stop/region-exposed at \(first)"),
      (["--rule", "stop/region-exposd"], "no rule matches 'stop/region-exposd'"),
    ]
    for (arguments, text) in cases {
      let result = try Tool.run(["minimize", Self.path("fault-stop-map-early.tape"), "-o", small.path] + arguments)
      #expect(result.status == 2 && result.error.contains(text), "\(result.error)")
      #expect(!FileManager.default.fileExists(atPath: small.path))
    }
  }

  @Test func nothingIsOverwrittenAndNeverTheTraceItself() throws {
    let copy = folder.file("copy.tape")
    try FileManager.default.copyItem(atPath: Self.path("fault-stop-map-early.tape"), toPath: copy.path)
    let before = try Data(contentsOf: copy)
    for arguments in [[], ["--force"]] {
      let result = try Tool.run(["minimize", copy.path, "--rule", "stop/*", "-o", copy.path] + arguments)
      #expect(result.status == 2, "\(result.output)")
      #expect(try Data(contentsOf: copy) == before)
    }
    let other = folder.file("other.tape")
    try Data("x".utf8).write(to: other)
    #expect(try Tool.run("minimize", copy.path, "--rule", "stop/*", "-o", other.path).status == 2)
    #expect(try Data(contentsOf: other) == Data("x".utf8))
  }
}
