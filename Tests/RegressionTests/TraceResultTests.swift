import Regression
import Testing

/// What a replay is called, held against its expectation.
struct TraceResultTests {
  static func result(_ expected: TraceExpectation?, _ came: TraceExpectation) -> TraceResult {
    TraceResult(trace: "x.tape", expected: expected, came: came)
  }

  static let damaged: TraceExpectation = {
    var expectation = Expectations.clean
    expectation.outcome = .incomplete
    expectation.damage = ["block: bytes 10 to 20"]
    return expectation
  }()

  static let violated: TraceExpectation = {
    var expectation = Expectations.clean
    expectation.outcome = .violated
    expectation.findings = [Expectations.exposed]
    return expectation
  }()

  @Test func theSamePasses() {
    #expect(Self.result(Self.violated, Self.violated).status == .passed)
  }

  @Test func anythingElseDiffers() {
    #expect(Self.result(Expectations.clean, Self.violated).status == .differs)
  }

  @Test func anotherTraceIsCalledOne() {
    var other = Expectations.clean
    other.digest = String(Expectations.digest.reversed())
    #expect(Self.result(Expectations.clean, other).message == "is another trace than the one expected")
  }

  @Test func nothingExpectedIsAFailure() {
    let result = Self.result(nil, Expectations.clean)
    #expect(result.status == .noExpectation && result.status.isFailure)
    #expect(result.difference.contains("+ verdict    clean"))
  }

  @Test func damageIsAnErrorUnlessItIsExpectedJustSo() {
    #expect(Self.result(Self.damaged, Self.damaged).status == .passed)
    #expect(Self.result(Expectations.clean, Self.damaged).status == .damaged)
    #expect(Self.result(nil, Self.damaged).status == .damaged)
    var elsewhere = Self.damaged
    elsewhere.damage = ["block: bytes 30 to 40"]
    #expect(Self.result(Self.damaged, elsewhere).status == .damaged)
    var known = Expectations.clean
    known.knownFailure = "it is broken"
    #expect(Self.result(known, Self.damaged).status == .damaged, "that a judgement is known to be wrong excuses no damage")
  }

  @Test func whatShouldFailAndPassesIsAFailure() {
    #expect(Self.result(Self.violated, Expectations.clean).status == .unexpectedPass)
    #expect(Self.result(Self.damaged, Expectations.clean).status == .unexpectedPass)
    var known = Expectations.clean
    known.knownFailure = "why"
    #expect(Self.result(known, Expectations.clean).status == .unexpectedPass)
    #expect(TraceResult.Status.unexpectedPass.isFailure)
  }

  @Test func aKnownFailureThatFailsIsNone() {
    var known = Expectations.clean
    known.knownFailure = "the judge forgets"
    let result = Self.result(known, Self.violated)
    #expect(result.status == .knownFailure && !result.status.isFailure && result.message == "the judge forgets")
  }
}
