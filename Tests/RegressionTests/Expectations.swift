import Analyzer
import Regression

/// Expectations to test with.
enum Expectations {
  static let digest = "0123456789abcdef0123456789abcdef"

  /// One that has everything.
  static var full: TraceExpectation {
    var expectation = TraceExpectation(.violated)
    expectation.comments = ["Recorded on a machine that is slow.", "", "Twice."]
    expectation.knownFailure = "the judge forgets a vCPU that went offline"
    expectation.recorded = "guest brief, 3 vCPUs, serial, seed 15, fault stop/count-one-ack"
    expectation.events = 262
    expectation.lost = 7
    expectation.digest = digest
    expectation.original = String(digest.reversed())
    expectation.damage = ["block: bytes 10 to 20, frame 3: expected the frame's checksum"]
    expectation.findings = [exposed, predicted]
    expectation.allowed = ["312 of tree/protected-write in 9 places", "1 of race/pages in 1 place"]
    expectation.undecided = ["whether the page-writes 3 and 4 race"]
    expectation.search = Verdict.SearchBound(tried: 3, skipped: 1, window: 8192)
    return expectation
  }

  static var exposed: TraceExpectation.Finding {
    var finding = TraceExpectation.Finding(rule: "stop/region-exposed")
    finding.count = 240
    finding.event = 43
    finding.vcpu = 0
    finding.gpa = 0x7000_0000
    finding.rip = 0x10_024e
    finding.because = [
      TraceExpectation.Reason(event: 30, what: "vCPU 1 entered the guest and has not left it"),
      TraceExpectation.Reason(event: 41, what: "a stop signal was sent to vCPU 1, which has not acknowledged it"),
    ]
    finding.also = ["stop/unstopped-peer"]
    return finding
  }

  static var predicted: TraceExpectation.Finding {
    var finding = TraceExpectation.Finding(rule: "race/predicted")
    finding.event = 45
    finding.witness = "stop/region-exposed after [43] and 1 event, with 1 event put off"
    return finding
  }

  static var clean: TraceExpectation {
    var expectation = TraceExpectation(.clean)
    expectation.events = 12
    expectation.digest = digest
    return expectation
  }
}
