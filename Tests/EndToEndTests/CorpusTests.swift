import Foundation
import Hypervisor
import Regression
import Reports
import Synchronization
import Testing
import TraceFile
import TraceSuite

/// The stored traces, each with what must be said of it. `tools/record-traces` records them anew.
struct CorpusTests {
  static let folder = Repository.root.appendingPathComponent("traces")
  static let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()

  /// The traces that can be read as such.
  static let names = files.filter { $0.hasSuffix(".tape") && (try? TraceReader(path: folder.appendingPathComponent($0).path)) != nil }

  static func expectations() throws -> [(name: String, expectation: TraceExpectation)] {
    try files.filter { $0.hasSuffix(".expected") }.map { name in
      (name, try #require(try TraceExpectation(path: folder.appendingPathComponent(name).path)))
    }
  }

  @Test func everyTraceIsJudgedAsExpected() throws {
    let failures = Mutex("")
    let report = SuiteRun(try StoredTraces([Self.folder.path]), SuiteRun.Options()).run(version: "test") { result in
      if result.status != .passed { failures.withLock { $0 += result.lines(style: .plain).joined(separator: "\n") + "\n" } }
      return true
    }
    #expect(report.outcome == .passed, "\(failures.withLock { $0 })")
    #expect(report.results.count >= 80)
  }

  @Test func theyStaySmall() throws {
    let bytes = try Self.files.reduce(0) { sum, name in
      sum + ((try FileManager.default.attributesOfItem(atPath: Self.folder.appendingPathComponent(name).path)[.size] as? Int) ?? 0)
    }
    #expect(bytes < 8 << 20)
    #expect(Self.files.allSatisfy { $0.hasSuffix(".tape") || $0.hasSuffix(".expected") })
  }

  @Test func whatAFaultCanBreakIsFoundInSomeTrace() throws {
    let found = Set(try Self.expectations().flatMap { $0.expectation.findings.map(\.rule) })
    let breakable = Set(Fault.table.flatMap { $0.rules + $0.may })
    #expect(breakable.isSubset(of: found), "not found in any stored trace: \(breakable.subtracting(found).sorted())")
  }

  @Test(arguments: Fault.table)
  func everyFaultIsStoredAndFound(fault: Fault.Entry) throws {
    let name = "fault-" + fault.name.replacing("/", with: "-") + ".expected"
    let expectation = try #require(try TraceExpectation(path: Self.folder.appendingPathComponent(name).path))
    let found = Set(expectation.findings.map(\.rule))
    #expect(Set(fault.rules).isSubset(of: found), "\(name): \(found)")
    #expect(found.isSubset(of: fault.rules + fault.may), "\(name): \(found)")
    #expect(expectation.recorded?.contains("fault \(fault.name)") == true)
  }

  /// The few events that show it, beside the digest of the recording they come from.
  @Test(arguments: Fault.table)
  func everyFaultIsStoredMinimized(fault: Fault.Entry) throws {
    let path = Self.folder.appendingPathComponent("fault-" + fault.name.replacing("/", with: "-")).path
    let whole = try #require(try TraceExpectation(path: path + ".expected"))
    let small = try #require(try TraceExpectation(path: path + ".min.expected"))
    #expect(small.original == whole.digest)
    #expect(small.recorded == whole.recorded)
    #expect(small.events < 100)
    #expect(small.findings.contains { $0.rule == fault.rules[0] })
    #expect(Set(small.findings.map(\.rule)).isSubset(of: whole.findings.map(\.rule)))
  }

  /// Every way in which a file may be wrong, and the older format, beside the clean ones.
  @Test func allKindsAreThere() throws {
    let all = try Self.expectations()
    for outcome in TraceExpectation.Outcome.allCases { #expect(all.contains { $0.expectation.outcome == outcome }, "\(outcome)") }
    #expect(all.count { $0.name.hasPrefix("damaged-") } >= 5)
    #expect(all.filter { $0.name.hasPrefix("damaged-") }.allSatisfy { !$0.expectation.damage.isEmpty })
    #expect(all.contains { $0.expectation.recorded?.contains("format 1.0") == true })
    #expect(all.filter { $0.name.hasPrefix("clean-") }.allSatisfy { $0.expectation.outcome == .clean && $0.expectation.findings.isEmpty })
    for guest in ["integrity", "stop-storm", "brief", "tree-churn", "attacks", "atomics", "writer", "hello"] {
      #expect(all.contains { $0.name.hasPrefix("clean-\(guest)") }, "\(guest)")
    }
  }
}
