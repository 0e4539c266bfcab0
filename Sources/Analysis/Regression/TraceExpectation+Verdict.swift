public import Analyzer
internal import Reports
public import TraceFormat

/// The analyzer's; below, `Finding` is an expectation's.
private typealias JudgedFinding = Finding

extension TraceExpectation {
  /// What replaying a trace gave. `digest` is that of its events, `damage` what its reader found wrong with the file.
  public init(_ verdict: Verdict, header: TraceHeader, digest: String, damage: [String]) {
    switch verdict.outcome {
    case .clean: self.init(.clean)
    case .violated: self.init(.violated)
    case .incomplete: self.init(.incomplete)
    }
    recorded = Self.recorded(header)
    events = verdict.events
    lost = verdict.lost
    self.digest = digest
    original = header.property("minimized-from").flatMap { Self.line($0) }
    self.damage = Self.places(damage)
    findings = verdict.findings.map { Finding($0) }
    if let tally = verdict.tally, tally.allowList != nil { allowed = tally.expected.map(\.text) }
    undecided = verdict.undecided.compactMap { Self.line($0) }
    search = verdict.prediction
  }

  /// A file in which no trace can be found.
  public init(unreadable why: String) {
    self.init(.unreadable)
    damage = [Self.line(why) ?? "not a trace"]
  }

  private static func places(_ damage: [String]) -> [String] {
    let shown = damage.prefix(damageLimit).compactMap { line($0) }
    return damage.count > shown.count ? shown + ["and \(damage.count - shown.count) more places"] : shown
  }

  private static func recorded(_ header: TraceHeader) -> String? {
    typealias Name = TraceHeader.Property.Name
    var parts: [String] = []
    if let guest = header.property(Name.guestName) { parts.append("guest \(guest)") }
    parts.append("\(header.vcpuCount) vCPU\(header.vcpuCount == 1 ? "" : "s")")
    if let schedule = header.property(Name.schedule), schedule != "parallel" { parts.append(schedule) }
    if let seed = header.property(Name.seed) { parts.append("seed \(seed)") }
    if let writes = header.property(Name.writes), writes != "protected" { parts.append("writes \(writes)") }
    parts += header.properties.filter { $0.name == Name.fault }.map { "fault \($0.value)" }
    if header.major != TraceHeader.currentMajor { parts.append("format \(header.major).\(header.minor)") }
    return line(parts.joined(separator: ", "))
  }

  /// The text as one line of a file: a stranger's trace may hold line ends, or escape sequences for the terminal. Nil where nothing is left of it.
  static func line(_ text: String) -> String? {
    let scalars = text.unicodeScalars.map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) || isBreak($0) ? "\u{fffd}" : $0 }
    let line = trimmed(String(String.UnicodeScalarView(scalars))[...])
    return line.isEmpty ? nil : String(line)
  }

  private static func isBreak(_ scalar: Unicode.Scalar) -> Bool { scalar.value == 0x2028 || scalar.value == 0x2029 }

  static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}

extension TraceExpectation.Finding {
  fileprivate init(_ finding: JudgedFinding) {
    self.init(rule: finding.rule.name)
    count = finding.count
    event = finding.seq
    vcpu = finding.vcpu
    gpa = finding.gpa
    rip = finding.rip
    because = finding.because.map { TraceExpectation.Reason(event: $0.seq, what: TraceExpectation.line($0.what) ?? "?") }
    if case .reordering(let order) = finding.evidence {
      let (steps, later) = (Count.text(UInt64(order.steps.count), "event"), Count.text(UInt64(order.later.count), "event"))
      witness = "\(order.rule.name) after [\(order.prefix)] and \(steps), with \(later) put off"
    }
    also = finding.also.map(\.name)
  }
}
