import Analyzer
import Reports
import SQLite

extension Database {
  /// Rules, and what a verdict says of them.
  func insert(_ verdict: Verdict) throws(DatabaseError) {
    let rules = try Statement(self, "INSERT INTO rules VALUES (?, ?, ?)")
    for rule in Rule.allCases { try rules.run(.text(rule.name), .text(rule.severity.rawValue), .text(rule.statement)) }
    let breaks = try Statement(self, "INSERT OR IGNORE INTO breaks VALUES (?, ?)")
    for (rule, places) in verdict.places {
      for seq in places { try breaks.run(.text(rule.name), .integer(seq)) }
    }
    let undecided = try Statement(self, "INSERT INTO undecided VALUES (?, ?)")
    for (index, what) in verdict.undecided.enumerated() { try undecided.run(.integer(UInt64(index + 1)), .text(what)) }
    let findings = try FindingTables(self)
    for (index, finding) in verdict.findings.enumerated() { try findings.insert(finding, number: UInt64(index + 1)) }
  }
}

/// `findings` and the tables that tell more of one.
private struct FindingTables {
  let findings: Statement
  let reasons: Statement
  let accesses: Statement
  let also: Statement

  init(_ database: Database) throws(DatabaseError) {
    findings = try Statement(database, "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    reasons = try Statement(database, "INSERT INTO reasons VALUES (?, ?, ?, ?, ?)")
    accesses = try Statement(database, "INSERT INTO accesses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    also = try Statement(database, "INSERT OR IGNORE INTO also_broken VALUES (?, ?)")
  }

  func insert(_ finding: Finding, number: UInt64) throws(DatabaseError) {
    var missing: String?
    var witness: Finding.Witness?
    switch finding.evidence {
    case .race(let first, let second, let edge):
      missing = edge
      try insert([first, second], number)
    case .reordering(let found): witness = found
    case nil: break
    }
    try findings.run(
      .integer(number), .text(finding.rule.name), .text(finding.rule.severity.rawValue), .integer(finding.count), .integer(finding.seq),
      .integer(finding.vcpu.map(UInt64.init)), .integer(finding.gpa), .integer(finding.rip), .text(finding.expected), .text(finding.observed),
      .text(missing), .text(witness?.rule.name), .integer(witness?.prefix))
    try insert(finding.because, "because", number)
    try insert(witness?.steps ?? [], "step", number)
    try insert(witness?.later ?? [], "later", number)
    for rule in finding.also { try also.run(.integer(number), .text(rule.name)) }
  }

  private func insert(_ list: [Finding.Reason], _ part: String, _ finding: UInt64) throws(DatabaseError) {
    for (index, reason) in list.enumerated() {
      try reasons.run(.integer(finding), .text(part), .integer(UInt64(index + 1)), .integer(reason.seq), .text(reason.what))
    }
  }

  private func insert(_ list: [Finding.Access], _ finding: UInt64) throws(DatabaseError) {
    for (index, access) in list.enumerated() {
      try accesses.run(
        .integer(finding), .integer(UInt64(index + 1)), .text(access.what.rawValue), .integer(access.seq), .integer(UInt64(access.vcpu)),
        .integer(access.gpa), .integer(access.length), .blob(access.before), .blob(access.after), .integer(access.rip), .integer(access.since))
    }
  }
}
