extension Analyzer {
  /// The judges as they are, to be shown events that the trace does not go on with. Races are not looked for by the copy, nor are judges of a
  /// user's own copied: those see what was recorded.
  package func copied() -> Analyzer {
    var copy = Analyzer(subject)
    copy.facts = Facts(copying: facts)
    copy.protection = Protection(copying: protection)
    copy.stop = StopJudge(copying: stop)
    copy.tree = tree
    copy.alerts = alerts
    copy.integrity = integrity
    copy.findings = findings
    copy.undecided = undecided
    copy.events = events
    copy.losses = losses
    copy.lastSeq = lastSeq
    copy.lastMoveTime = lastMoveTime
    return copy
  }

  /// The earliest break behind `seq` of a rule that is asked for.
  package func firstBreak(after seq: UInt64, where isWanted: (Rule) -> Bool) -> Finding? {
    let breaks = findings.findings.values.filter { $0.seq > seq && $0.rule.severity == .violation && isWanted($0.rule) }
    return breaks.min { ($0.seq, $0.rule.name) < ($1.seq, $1.rule.name) }
  }
}
