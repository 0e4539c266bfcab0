import Analyzer
import Digests
import Exports
import Foundation
import Races
import Testing
import TraceEvents
import TraceFile
import TraceFormat

@Suite struct SARIFTests {
  private static let names = [
    "fault-stop-map-early", "race-stop-window", "fault-alert-deny-lands", "damaged-flipped", "damaged-truncated", "clean-brief-2", "fault-stop-count-one-ack",
  ]

  private static func verdict(_ reader: TraceReader) -> Verdict { Verdict(of: reader, Analyzer.Subject(reader.header), isComplete: reader.isComplete) }

  private static func log(_ name: String, path: String? = nil) throws -> (log: SARIFLog, verdict: Verdict) {
    let reader = try StoredTrace(name: name).reader()
    let verdict = verdict(reader)
    var named = NamedEvents(verdict.findings)
    reader.run(&named)
    var hash = SHA256()
    reader.readBytes { hash.update($0) }
    let artifact = SARIFLog.Artifact(path: path ?? "traces/\(name).tape", size: reader.size, digest: hash.hexadecimal())
    let log = SARIFLog(
      artifact: artifact, version: "1.2.3", verdict: verdict, named: named, damage: reader.damage.map { "\($0)" }, bytes: { reader.bytes(ofEvent: $0) })
    return (log, verdict)
  }

  private static func run(_ log: SARIFLog) throws -> JSONValue { try #require(try JSONValue(Data(log.text.utf8))["runs"]?[0]) }

  @Test(arguments: names) func everyFindingIsAResult(name: String) throws {
    let (log, verdict) = try Self.log(name)
    let run = try Self.run(log)
    let results = try #require(run["results"]?.elements)
    let findings = verdict.findings.filter { $0.rule.severity != .loss }
    #expect(results.count == findings.count)
    let rules = try #require(run["tool"]?["driver"]?["rules"]?.elements)
    #expect(Set(rules.compactMap { $0["id"]?.string }).count == rules.count)
    for rule in rules {
      for text in [rule["shortDescription"]?["text"], rule["fullDescription"]?["text"], rule["help"]?["text"], rule["help"]?["markdown"]] {
        #expect(text?.string?.isEmpty == false)
      }
    }
    for (result, finding) in zip(results, findings) {
      #expect(result["ruleId"]?.string == finding.rule.name && result["occurrenceCount"]?.number == Double(finding.count))
      let index = Int(try #require(result["ruleIndex"]?.number))
      #expect(rules[index]["id"] == result["ruleId"] && rules[index]["defaultConfiguration"]?["level"] == result["level"])
      #expect(result["level"]?.string == (finding.rule.severity == .violation ? "error" : "warning"))
      #expect(result["message"]?["text"]?.string?.hasPrefix(finding.observed) == true)
      try Self.checkFlows(result, finding)
    }
    let told = run["invocations"]?[0]?["toolExecutionNotifications"]?.elements ?? []
    #expect(told.isEmpty == !name.hasPrefix("damaged-") || !verdict.undecided.isEmpty)
    #expect(run["invocations"]?[0]?["exitCode"]?.number == (name.hasPrefix("damaged-") ? 3 : 0))
  }

  /// Each event of the chain stands once, on its vCPU's thread flow, in an order that runs through all of them.
  private static func checkFlows(_ result: JSONValue, _ finding: Finding) throws {
    let threads = try #require(result["codeFlows"]?[0]?["threadFlows"]?.elements)
    #expect(Set(threads.compactMap { $0["id"]?.string }).count == threads.count)
    var steps: [(order: Double, name: String)] = []
    for thread in threads {
      let lane = try #require(thread["id"]?.string)
      let places = try #require(thread["locations"]?.elements)
      let orders = places.compactMap { $0["executionOrder"]?.number }
      #expect(orders == orders.sorted() && orders.count == places.count)
      for (order, place) in zip(orders, places) {
        let name = try #require(place["location"]?["logicalLocations"]?[0]?["fullyQualifiedName"]?.string)
        #expect(name.hasPrefix(lane + "/event "))
        steps.append((order, name))
      }
    }
    steps.sort { $0.order < $1.order }
    #expect(steps.map(\.order) == (1...steps.count).map(Double.init))
    let seqs = steps.compactMap { $0.name.split(separator: " ").last.flatMap { UInt64($0) } }
    #expect(seqs == seqs.sorted() && Set(finding.because.map(\.seq)).union([finding.seq]).isSubset(of: seqs))
  }

  @Test func theTraceIsTheArtifact() throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: StoredTrace(name: "fault-stop-map-early").path))
    let (log, verdict) = try Self.log("fault-stop-map-early", path: "/a b/ü#1.tape")
    let run = try Self.run(log)
    let artifact = run["artifacts"]?[0]
    #expect(artifact?["length"]?.number == Double(bytes.count) && artifact?["hashes"]?["sha-256"]?.string == SHA256.hexadecimal(Array(bytes)))
    #expect(artifact?["location"]?["uri"]?.string == "file:///a%20b/%C3%BC%231.tape")
    #expect(run["automationDetails"]?["id"]?.string == "pagetape/%C3%BC%231/")
    // The bytes named are a block of the file, in which the event is.
    let reader = try StoredTrace(name: "fault-stop-map-early").reader()
    let region = run["results"]?[0]?["locations"]?[0]?["physicalLocation"]?["region"]
    let start = UInt64(region?["byteOffset"]?.number ?? 0)
    let block = try #require(reader.blocks.first { $0.offset == start })
    #expect(region?["byteLength"]?.number == Double(block.size))
    #expect((block.prologue.firstSeq..<block.prologue.firstSeq + UInt64(block.prologue.count)).contains(verdict.findings[0].seq))
  }

  /// What differs from one recording of a bug to the next does not show; another place in memory does.
  @Test func fingerprintsOutliveARecording() throws {
    func prints(_ change: (inout Finding) -> Void) throws -> JSONValue? {
      var (log, verdict) = try Self.log("fault-alert-deny-lands")
      #expect(verdict.findings.count == 1 && verdict.findings[0].gpa != nil)
      change(&verdict.findings[0])
      log.verdict = verdict
      return try Self.run(log)["results"]?[0]?["partialFingerprints"]
    }
    let print = try prints { _ in }
    #expect(print?["pagetape/v1"]?.string?.count == 64)
    #expect(print?["primaryLocationLineHash"]?.string?.hasSuffix(":1") == true)
    #expect(
      try prints {
        ($0.seq, $0.count, $0.vcpu) = ($0.seq + 1, 99, 7)
        $0.because = []
        $0.observed = "something else"
      } == print)
    #expect(try prints { $0.gpa? += 4096 } != print)
    #expect(try prints { $0.rule = .alertMissing } != print)
  }

  // MARK: The published schema

  private static let schemaPath = ProcessInfo.processInfo.environment["PAGETAPE_SARIF_SCHEMA"]
  private static let why: Comment = "PAGETAPE_SARIF_SCHEMA names no file: exports are not held against SARIF's schema; tools/sarif-schema fetches it"
  private static var hasSchema: Bool { schemaPath.map { FileManager.default.fileExists(atPath: $0) } ?? false }
  private static func schema() throws -> JSONSchema { JSONSchema(root: try JSONValue(Data(contentsOf: URL(fileURLWithPath: schemaPath ?? "")))) }

  @Test(.enabled(if: hasSchema, why), arguments: names) func logsAreValid(name: String) throws {
    let violations = try Self.schema().violations(try JSONValue(Data(try Self.log(name).log.text.utf8)))
    #expect(violations == [])
  }

  @Test(.enabled(if: hasSchema, why)) func brokenLogsAreNot() throws {
    let text = try Self.log("fault-stop-map-early").log.text
    for (good, bad) in [
      ("\"version\": \"2.1.0\"", "\"version\": \"2.0.0\""), ("\"level\": \"error\"", "\"level\": \"fatal\""), ("\"ruleIndex\": ", "\"ruleIndex\": -"),
      ("\"driver\"", "\"drivers\""), ("\"byteOffset\": ", "\"byteOffset\": 0.5, \"x\": "), ("\"length\": ", "\"length\": -2, \"y\": "),
    ] {
      #expect(text.contains(good))
      #expect(!(try Self.schema().violations(try JSONValue(Data(text.replacing(good, with: bad).utf8))).isEmpty), "\(bad)")
    }
  }
}

/// The validator itself, on schemas of a line.
@Suite struct JSONSchemaTests {
  @Test(arguments: [
    (#"{"type": "integer", "minimum": 2, "maximum": 4}"#, "3", ["1", "5", "2.5", "\"3\"", "true"]), (#"{"enum": ["a", 1]}"#, "1", ["2", "\"b\"", "true"]),
    (#"{"type": ["string", "null"], "pattern": "^a+$"}"#, "\"aa\"", ["\"ab\"", "1"]),
    (#"{"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string"}}"#, #"["a", "b"]"#, ["[]", #"["a", "a"]"#, "[1]", "{}"]),
    (#"{"required": ["a"], "properties": {"a": {"type": "number"}}, "additionalProperties": false}"#, #"{"a": 1}"#,
      ["{}", #"{"a": 1, "b": 2}"#, #"{"a": ""}"#]),
    (#"{"properties": {"a": {}}, "additionalProperties": {"type": "string"}}"#, #"{"a": 1, "b": "x"}"#, [#"{"b": 1}"#]),
    (##"{"definitions": {"n": {"type": "null"}}, "anyOf": [{"$ref": "#/definitions/n"}, {"type": "boolean"}]}"##, "null", ["0", "\"\""]),
    (#"{"oneOf": [{"minimum": 1}, {"maximum": 5}]}"#, "7", ["3"]), (#"{"format": "uri"}"#, "\"file:///x\"", ["\"x y\"", "\"x\""]),
    (#"{"format": "uri-reference"}"#, "\"a/b%20c\"", ["\"a b\"", "\"a%2\""]), (#"{"format": "date-time"}"#, "\"2026-01-02T03:04:05Z\"", ["\"2026-01-02\""]),
  ] as [(String, String, [String])])
  func whatIsValid(schema: String, valid: String, invalid: [String]) throws {
    let schema = JSONSchema(root: try JSONValue(Data(schema.utf8)))
    #expect(schema.violations(try JSONValue(Data(valid.utf8))) == [])
    for text in invalid { #expect(!schema.violations(try JSONValue(Data(text.utf8))).isEmpty, "\(text)") }
  }

  @Test func whatIsNotKnownIsAViolation() throws {
    let schemas = [
      #"{"maxLength": 3}"#, ##"{"$ref": "#/definitions/none"}"##, #"{"properties": {"a": {"not": {}}}}"#, #"{"properties": {"a": {"format": "ipv4"}}}"#,
    ]
    for schema in schemas {
      let violations = JSONSchema(root: try JSONValue(Data(schema.utf8))).violations(.object(["a": .string("x")]))
      #expect(!violations.isEmpty, "\(schema)")
    }
  }
}
