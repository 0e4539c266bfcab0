import Foundation
import Testing

/// The stored traces, each with what must be said of it. `tools/bless-traces` writes the expectations anew.
struct CorpusTests {
  struct Expectation: Decodable {
    struct Finding: Decodable, Equatable {
      var rule: String
      var count: UInt64
      var seq: UInt64
      var vcpu: Int?
    }

    var exit: Int32
    var verdict: String
    var events: UInt64
    var lost: UInt64
    var findings: [Finding]
  }

  static let folder = Repository.root.appendingPathComponent("traces")
  static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".tape") }.sorted()

  @Test func thereAreEnough() {
    #expect(Self.names.count >= 10)
  }

  @Test func theyStaySmall() throws {
    let bytes = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).reduce(0) { sum, name in
      sum + ((try FileManager.default.attributesOfItem(atPath: Self.folder.appendingPathComponent(name).path)[.size] as? Int) ?? 0)
    }
    #expect(bytes < 8 << 20)
  }

  @Test(arguments: names)
  func saysWhatItSaid(name: String) throws {
    let path = Self.folder.appendingPathComponent(name)
    let expected = try JSONDecoder().decode(
      Expectation.self, from: Data(contentsOf: path.deletingPathExtension().appendingPathExtension("expected.json")))
    let report = try VerdictReport(replaying: path.path)
    #expect(try Tool.run("replay", path.path).status == expected.exit)
    #expect(report.verdict == expected.verdict)
    #expect(report.events == expected.events)
    #expect(report.lost == expected.lost)
    let findings = report.findings.map { Expectation.Finding(rule: $0.rule, count: $0.count, seq: $0.seq, vcpu: $0.vcpu) }
    #expect(findings == expected.findings)
  }
}
