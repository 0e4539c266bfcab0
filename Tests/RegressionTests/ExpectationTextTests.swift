import Regression
import Testing

/// The text form: written, read, and refused with the line that is wrong.
struct ExpectationTextTests {
  @Test func everythingIsWrittenAndReadAgain() throws {
    let text = Expectations.full.text
    #expect(try TraceExpectation(parsing: text.utf8) == Expectations.full)
    #expect(try TraceExpectation(parsing: text.utf8).text == text)
  }

  @Test func itReadsLikeThis() {
    #expect(
      Expectations.full.text == """
        pagetape expectation 1
        # Recorded on a machine that is slow.
        #
        # Twice.
        known-failure the judge forgets a vCPU that went offline
        verdict    violated
        recorded   guest brief, 3 vCPUs, serial, seed 15, fault stop/count-one-ack
        events     262
        lost       7
        digest     0123456789abcdef0123456789abcdef
        original   fedcba9876543210fedcba9876543210
        damage     block: bytes 10 to 20, frame 3: expected the frame's checksum
        searched   3 orders, 1 not, window 8192
        allowed    312 of tree/protected-write in 9 places
        allowed    1 of race/pages in 1 place
        undecided  whether the page-writes 3 and 4 race

        finding    stop/region-exposed
          count    240
          event    43
          vcpu     0
          gpa      0x70000000
          rip      0x10024e
          because  [30] vCPU 1 entered the guest and has not left it
          because  [41] a stop signal was sent to vCPU 1, which has not acknowledged it
          also     stop/unstopped-peer

        finding    race/predicted
          count    1
          event    45
          witness  stop/region-exposed after [43] and 1 event, with 1 event put off

        """)
  }

  /// What a checkout on another system, or an editor, may have done.
  @Test func lineEndsAndSpacesDoNotMatter() throws {
    let text = Expectations.full.text
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let changed = "\(lines[0])\r\n" + lines.dropFirst().joined(separator: "  \r\n")
    #expect(try TraceExpectation(parsing: changed.utf8) == Expectations.full)
    #expect(try TraceExpectation(parsing: text.dropLast().utf8) == Expectations.full)
    #expect(try TraceExpectation(parsing: text.replacing("  ", with: "\t").utf8) == Expectations.full)
  }

  @Test func theOrderOfFindingsDoesNotMatter() throws {
    var other = Expectations.full
    other.findings.reverse()
    #expect(try TraceExpectation(parsing: other.text.utf8) == Expectations.full)
  }

  static let head = "pagetape expectation 1\n"
  static let finding = head + "verdict violated\nevents 3\nfinding stop/lost-signal\n"

  @Test(arguments: [
    ("", 1, "is empty"),
    ("{\n", 1, "expected 'pagetape expectation 1'"),
    ("pagetape expectation 2\nverdict clean\n", 1, "a version that this pagetape does not know"),
    (head, 1, "ends without a 'verdict'"),
    (head + "verdict clean\n", 2, "ends without 'events'"),
    (head + "verdict good\n", 2, "expected a verdict, clean, violated, incomplete or unreadable, not 'good'"),
    (head + "verdict\n", 2, "'verdict' has no value"),
    (head + "verdict clean\nverdict clean\n", 3, "a second 'verdict'; the first is in line 2"),
    (head + "verdict clean\n\nevent 3\n", 4, "not 'event'"),
    (head + "verdict clean\nevents -3\n", 3, "expected a number, not '-3'"),
    (head + "verdict clean\nevents +3\n", 3, "expected a number, not '+3'"),
    (head + "verdict clean\nevents 3 \nlost 99999999999999999999\n", 4, "expected a number"),
    (head + "verdict clean\nevents 3\ndigest 12\n", 4, "expected a digest"),
    (head + "verdict clean\nevents 3\noriginal x\n", 4, "expected a digest"),
    (head + "verdict clean\nevents 3\nsearched 3 orders\n", 4, "expected 'N orders, N not, window N'"),
    (head + "verdict clean\nevents 3\n# why\n", 4, "a comment stands before the first fact"),
    (head + "verdict clean\nevents 3\n  count 3\n", 4, "is indented, and belongs to no finding"),
    (head + "verdict unreadable\n", 2, "has its 'damage'"),
    (head + "<<<<<<< HEAD\nverdict clean\n", 2, "merge that was not settled"),
    (head + "verdict clean\u{1b}[31m\n", 2, "control character"),
    (head + "verdict violated\nevents 3\nfinding lost-signal\n", 4, "expected a rule"),
    (finding + "  count 1\n", 4, "the finding of stop/lost-signal has no 'event'"),
    (finding + "  event 1\n\nfinding stop/double-first\n", 4, "has no 'count'"),
    (finding + "  count 0\n", 5, "broke 0 times"),
    (finding + "  count 1\n  event 2\nfinding stop/lost-signal\n", 7, "a second finding of stop/lost-signal; the first is in line 4"),
    (finding + "  vcpu 65536\n", 5, "expected a vCPU's number"),
    (finding + "  gpa 70000000\n", 5, "expected an address"),
    (finding + "  gpa 0x+7\n", 5, "expected an address"),
    (finding + "  rip 0x\n", 5, "expected an address"),
    (finding + "  because of it\n", 5, "expected an event in brackets"),
    (finding + "  because [7]\n", 5, "event 7 is not said to be anything"),
    (finding + "  verdict clean\n", 5, "not 'verdict'"),
  ])
  func whatIsWrongIsSaidWithItsLine(text: String, line: Int, what: String) {
    let error = #expect(throws: ExpectationError.self) { try TraceExpectation(parsing: text.utf8) }
    #expect(error?.line == line, "\(text)")
    #expect(error?.what.contains(what) == true, "\(error?.what ?? "")")
  }

  @Test func bytesThatAreNoTextAreRefused() {
    let error = #expect(throws: ExpectationError.self) { try TraceExpectation(parsing: Array(Self.head.utf8) + [0xff, 0x0a]) }
    #expect(error == ExpectationError(line: 2, "is not UTF-8"))
  }

  /// No line of a good file can be lost, or its key misspelt, without an error or a difference.
  @Test func everyLineCounts() throws {
    let lines = Expectations.full.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    for index in lines.indices where !lines[index].isEmpty {
      var other = lines
      other.remove(at: index)
      let parsed = try? TraceExpectation(parsing: other.joined(separator: "\n").utf8)
      #expect(parsed != Expectations.full, "without '\(lines[index])'")
    }
  }

  @Test(arguments: [("a/b.tape", "a/b.expected"), ("b.min.tape", "b.min.expected"), ("b.zst", "b.zst.expected")])
  func expectationsAreBesideTheirTraces(trace: String, expectation: String) {
    #expect(TraceExpectation.path(forTrace: trace) == expectation)
  }
}
