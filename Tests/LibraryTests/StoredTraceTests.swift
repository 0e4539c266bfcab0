// docs: test
import Analyzer
import Foundation
import Races
import Reports
import Testing
import TraceFile

struct StoredTraceTests {
  /// The folder `traces` of this package; this file is in `Tests/LibraryTests`.
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../traces").path

  @Test(arguments: ["clean-brief-1.tape", "clean-stop-storm-4.tape"])
  func staysClean(name: String) throws {
    let trace = try TraceReader(path: Self.folder + "/" + name)
    let verdict = Verdict(of: trace, judges: [try PromptStop(within: 60_000_000_000)])
    #expect(verdict.outcome == .clean, "\(verdict.text(name: name))")
  }
}
// docs: end
