internal import Analyzer

extension TraceExpectation {
  /// Reads the content of an expectation file. Nothing is guessed: a line is a fact in the format's words, or an error with its number.
  public init(parsing bytes: some Sequence<UInt8>) throws(ExpectationError) {
    var parser = ExpectationParser()
    var line: [UInt8] = []
    for byte in bytes {
      guard byte == UInt8(ascii: "\n") else {
        line.append(byte)
        continue
      }
      try parser.take(line)
      line.removeAll(keepingCapacity: true)
    }
    if !line.isEmpty { try parser.take(line) }
    self = try parser.finish()
  }
}

/// Takes an expectation file line by line.
struct ExpectationParser {
  private typealias Finding = TraceExpectation.Finding

  private var number = 0
  private var isBody = false
  private var expectation = TraceExpectation(.clean)
  /// The line that each fact of the trace, or of the finding in hand, was said in.
  private var said: [String: Int] = [:]
  private var saidOfFinding: [String: Int] = [:]
  private var finding: Finding?
  private var findingLine = 0
  private var ruleLines: [String: Int] = [:]

  private static let keys = [
    "known-failure", "verdict", "recorded", "events", "lost", "digest", "original", "damage", "searched", "allowed", "undecided", "finding",
  ]
  private static let findingKeys = ["count", "event", "vcpu", "gpa", "rip", "because", "witness", "also"]
  private static let repeatable: Set = ["damage", "allowed", "undecided", "because", "also", "finding"]

  mutating func take(_ bytes: [UInt8]) throws(ExpectationError) {
    number += 1
    guard var text = String(validating: bytes, as: UTF8.self) else { throw error("is not UTF-8") }
    // A checkout may have made the line end one of another system.
    if bytes.last == UInt8(ascii: "\r") { text = String(decoding: bytes.dropLast(), as: UTF8.self) }
    if number == 1 {
      guard text == TraceExpectation.signature else {
        throw error(
          text.hasPrefix("pagetape expectation ")
            ? "a version that this pagetape does not know; expected '\(TraceExpectation.signature)'" : "expected '\(TraceExpectation.signature)'")
      }
      return
    }
    if text.contains(where: { $0.unicodeScalars.contains { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7f } }) { throw error("holds a control character") }
    for mark in ["<<<<<<<", "=======", ">>>>>>>"] where text.hasPrefix(mark) { throw error("is left from a merge that was not settled") }
    let content = TraceExpectation.trimmed(text[...])
    if content.isEmpty { return }
    if content.first == "#" { return try takeComment(content) }
    isBody = true
    let key = String(content.prefix { $0 != " " && $0 != "\t" })
    let value = String(TraceExpectation.trimmed(content.dropFirst(key.count)))
    let isIndented = text.first == " " || text.first == "\t"
    try isIndented ? takeOfFinding(key, value) : takeOfTrace(key, value)
  }

  private mutating func takeComment(_ content: Substring) throws(ExpectationError) {
    // Those further down would have no place when the file is written anew.
    guard !isBody else { throw error("a comment stands before the first fact") }
    let text = content.dropFirst()
    expectation.comments.append(String(text.first == " " ? text.dropFirst() : text))
  }

  private mutating func takeOfTrace(_ key: String, _ value: String) throws(ExpectationError) {
    try check(key, value, among: Self.keys, &said)
    try endFinding()
    switch key {
    case "known-failure": expectation.knownFailure = value
    case "verdict":
      guard let outcome = TraceExpectation.Outcome(rawValue: value) else {
        throw error("expected a verdict, \(Self.list(TraceExpectation.Outcome.allCases.map(\.rawValue))), not '\(value)'")
      }
      expectation.outcome = outcome
    case "recorded": expectation.recorded = value
    case "events": expectation.events = try decimal(value)
    case "lost": expectation.lost = try decimal(value)
    case "digest": expectation.digest = try digest(value)
    case "original": expectation.original = try digest(value)
    case "damage": expectation.damage.append(value)
    case "searched": expectation.search = try search(value)
    case "allowed": expectation.allowed.append(value)
    case "undecided": expectation.undecided.append(value)
    default:
      let rule = try ruleName(value)
      if let before = ruleLines[rule] { throw error("a second finding of \(rule); the first is in line \(before)") }
      ruleLines[rule] = number
      finding = Finding(rule: rule)
      findingLine = number
      saidOfFinding = [:]
    }
  }

  private mutating func takeOfFinding(_ key: String, _ value: String) throws(ExpectationError) {
    guard var finding else { throw error("is indented, and belongs to no finding") }
    try check(key, value, among: Self.findingKeys, &saidOfFinding)
    switch key {
    case "count":
      finding.count = try decimal(value)
      if finding.count == 0 { throw error("a rule that broke 0 times is no finding") }
    case "event": finding.event = try decimal(value)
    case "vcpu":
      guard let vcpu = UInt16(exactly: try decimal(value)) else { throw error("expected a vCPU's number, not '\(value)'") }
      finding.vcpu = vcpu
    case "gpa": finding.gpa = try hexadecimal(value)
    case "rip": finding.rip = try hexadecimal(value)
    case "because": finding.because.append(try reason(value))
    case "witness": finding.witness = value
    default: finding.also.append(try ruleName(value))
    }
    self.finding = finding
  }

  private mutating func endFinding() throws(ExpectationError) {
    guard let finding else { return }
    for key in ["count", "event"] where saidOfFinding[key] == nil {
      throw ExpectationError(line: findingLine, "the finding of \(finding.rule) has no '\(key)'")
    }
    expectation.findings.append(finding)
    self.finding = nil
  }

  mutating func finish() throws(ExpectationError) -> TraceExpectation {
    try endFinding()
    guard number > 0 else { throw ExpectationError(line: 1, "is empty; expected '\(TraceExpectation.signature)'") }
    guard said["verdict"] != nil else { throw ExpectationError(line: number, "the file ends without a 'verdict'") }
    if expectation.outcome == .unreadable {
      if expectation.damage.isEmpty { throw ExpectationError(line: number, "an unreadable file has its 'damage'") }
    } else if said["events"] == nil {
      throw ExpectationError(line: number, "the file ends without 'events'")
    }
    expectation.findings.sort { ($0.event, $0.rule) < ($1.event, $1.rule) }
    return expectation
  }

  // MARK: Values

  private func error(_ what: String) -> ExpectationError { ExpectationError(line: number, what) }

  private func check(_ key: String, _ value: String, among keys: [String], _ said: inout [String: Int]) throws(ExpectationError) {
    guard keys.contains(key) else { throw error("expected \(Self.list(keys)), not '\(key)'") }
    if value.isEmpty { throw error("'\(key)' has no value") }
    if let before = said[key], !Self.repeatable.contains(key) { throw error("a second '\(key)'; the first is in line \(before)") }
    if said[key] == nil { said[key] = number }
  }

  private func decimal(_ text: String) throws(ExpectationError) -> UInt64 {
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let value = UInt64(text) else {
      throw error("expected a number, not '\(text)'")
    }
    return value
  }

  private func hexadecimal(_ text: String) throws(ExpectationError) -> UInt64 {
    let digits = text.dropFirst(2)
    guard text.hasPrefix("0x"), digits.utf8.first.map(Self.isHexDigit) == true, let value = UInt64(digits, radix: 16) else {
      throw error("expected an address, as in 0x70000000, not '\(text)'")
    }
    return value
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
  }

  private func digest(_ text: String) throws(ExpectationError) -> String {
    guard text.utf8.allSatisfy(Self.isHexDigit), text.utf8.count == 32 else { throw error("expected a digest of 32 hexadecimal digits, not '\(text)'") }
    return text
  }

  private func ruleName(_ text: String) throws(ExpectationError) -> String {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let isName = { (part: Substring) in !part.isEmpty && part.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d } }
    guard parts.count == 2, parts.allSatisfy(isName) else { throw error("expected a rule, as in stop/map-early, not '\(text)'") }
    return text
  }

  private func reason(_ text: String) throws(ExpectationError) -> TraceExpectation.Reason {
    guard text.first == "[", let end = text.firstIndex(of: "]") else { throw error("expected an event in brackets and what it is, as in '[7] …'") }
    let seq = try decimal(String(text[text.index(after: text.startIndex)..<end]))
    let what = TraceExpectation.trimmed(text[text.index(after: end)...])
    if what.isEmpty { throw error("event \(seq) is not said to be anything") }
    return TraceExpectation.Reason(event: seq, what: String(what))
  }

  private func search(_ text: String) throws(ExpectationError) -> Verdict.SearchBound {
    let words = text.split(separator: " ").map(String.init)
    guard words.count == 6, words[1] == "orders,", words[3] == "not,", words[4] == "window", let tried = Int(exactly: try decimal(words[0])),
      let skipped = Int(exactly: try decimal(words[2]))
    else { throw error("expected 'N orders, N not, window N', not '\(text)'") }
    return Verdict.SearchBound(tried: tried, skipped: skipped, window: try decimal(words[5]))
  }

  private static func list(_ names: [String]) -> String { names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "") }
}
