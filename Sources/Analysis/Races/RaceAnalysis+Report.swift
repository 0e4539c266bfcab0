internal import Analyzer
internal import TraceEvents

/// What a race is called, and how it is told.
extension RaceAnalysis {
  mutating func judge(_ first: PageAccess, _ second: PageAccess, on frame: UInt64) {
    // What would have ordered them is known now: signals go on.
    let missing = missingText(first, second)
    let race = PendingRace(first: first, second: second, frame: frame, missing: missing)
    if first.changesProtection || second.changesProtection || (first.since == nil && second.since == nil) { return tell(race) }
    if pending.count >= Self.pendingLimit { settle(all: false) }
    if pending.count < Self.pendingLimit { pending.append(race) } else { isCut = true }
  }

  /// Reports a race for what it is.
  mutating func tell(_ race: PendingRace) {
    let (first, second) = (race.first, race.second)
    if first.changesProtection || second.changesProtection {
      if windows.count < Self.seedLimit { windows.append(PredictionSeed(first, second)) }
      return report(.raceProtectWindow, race)
    }
    let inWindow = { (one: PageAccess, other: PageAccess) in one.pendingStop != 0 && one.mode != .privileged && other.mode == .privileged }
    report(inWindow(first, second) || inWindow(second, first) ? .raceStopWindow : .racePages, race)
  }

  private struct Story {
    var observed: String
    var because: [Finding.Reason]
    var evidence: Finding.Evidence
  }

  private mutating func report(_ rule: Rule, _ race: PendingRace) {
    let (first, second, frame) = (race.first, race.second, race.frame)
    let bytes = first.bytes.overlap(second.bytes) ?? 0..<4096
    let gpa = frame << 12 + UInt64(bytes.lowerBound)
    // Told in full once; repeats are counted.
    var story: Story?
    let place = BreachTally.Place(rule: rule, rip: second.rip, otherRIP: first.rip, gpa: gpa)
    if findings.findings[rule] == nil, findings.tellsInFull(place, at: second.seq) {
      let told = (told(first, bytes, gpa), told(second, bytes, gpa))
      story = Story(
        observed: "\(text(told.0, first)); \(text(told.1, second)); nothing orders the two.",
        because: reasons(first) + reasons(second) + [Finding.Reason(seq: max(first.seq, second.seq), what: race.missing)],
        evidence: .race(first: told.0, second: told.1, missing: race.missing))
    }
    findings.report(
      rule, seq: second.seq, vcpu: second.vcpu, gpa: gpa, rip: second.rip, otherRIP: first.rip, expected: story == nil ? "" : Self.expected(rule),
      observed: story?.observed ?? "", because: story?.because ?? [], evidence: story?.evidence)
  }

  private static func expected(_ rule: Rule) -> String {
    switch rule {
    case .raceStopWindow: "What a vCPU writes between a stop signal and its ack is over, and known to be, before the privileged mode touches the same bytes."
    case .raceProtectWindow: "A write to a page, and the moment its write trace is installed or removed, are ordered."
    default: "Accesses to the same bytes are ordered where one of them is made in an elevated mode, or the page is a node's, the driver's or the region's."
    }
  }

  private func told(_ access: PageAccess, _ bytes: Range<Int>, _ gpa: UInt64) -> Finding.Access {
    if access.changesProtection {
      return Finding.Access(access.what, seq: access.seq, vcpu: access.vcpu, gpa: gpa & ~4095, length: 4096, rip: access.rip)
    }
    var told = Finding.Access(
      access.what, seq: access.seq, vcpu: access.vcpu, gpa: gpa, length: UInt64(bytes.count), rip: access.rip, since: access.since)
    if access.what != .read { (told.before, told.after) = access.values(of: bytes) }
    return told
  }

  private func text(_ told: Finding.Access, _ access: PageAccess) -> String {
    let mode = access.mode == .privileged ? ", in the privileged mode," : access.mode == .integrity ? ", in integrity mode," : ""
    let gpa = "0x\(String(told.gpa, radix: 16))"
    let when = told.since.map { "between \($0) and \(told.seq)" } ?? "at \(told.seq)"
    let what =
      switch told.what {
      case .read, .write:
        "\(told.what == .read ? "read" : "wrote") \(told.length) byte\(told.length == 1 ? "" : "s") at \(gpa) \(when)" + values(told)
      case .attempt: "tried to write at \(gpa) \(when)"
      case .install: "put the trace on the page \(gpa) \(when)"
      case .remove: "took the trace off the page \(gpa) \(when)"
      }
    return "vCPU \(told.vcpu)\(mode) \(what)"
  }

  private func values(_ told: Finding.Access) -> String {
    guard let after = told.after else { return "" }
    let hex = { (bytes: [UInt8]) in bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
    return " (\(told.before.map { hex($0) + " to " } ?? "")\(hex(after)))"
  }

  private func reasons(_ access: PageAccess) -> [Finding.Reason] {
    var reasons: [Finding.Reason] = []
    if access.pendingStop != 0 {
      reasons.append(Finding.Reason(seq: access.pendingStop, what: "a stop signal was sent to vCPU \(access.vcpu), not acknowledged when it wrote"))
    }
    if let since = access.since { reasons.append(Finding.Reason(seq: since, what: "vCPU \(access.vcpu) entered the guest: it wrote after that")) }
    let what =
      switch access.what {
      case .read: "vCPU \(access.vcpu) read it"
      case .write: access.since == nil ? "vCPU \(access.vcpu) wrote it" : "vCPU \(access.vcpu) had written it"
      case .attempt: "vCPU \(access.vcpu)'s write trapped"
      case .install: "vCPU \(access.vcpu) had the trace put on the page"
      case .remove: "vCPU \(access.vcpu) had the trace taken off the page"
      }
    reasons.append(Finding.Reason(seq: access.seq, what: what))
    return reasons
  }

  /// What would have ordered them.
  private func missingText(_ first: PageAccess, _ second: PageAccess) -> String {
    let (inside, outside) = first.mode == .privileged ? (first, second) : (second, first)
    guard inside.mode == .privileged, outside.mode != .privileged, inside.rendezvous == rendezvous.number, rendezvous.map != 0 else {
      return first.changesProtection || second.changesProtection
        ? "no signal between the two vCPUs orders them: a rendezvous, or an interrupt sent and delivered, would"
        : "no stop, resume or interrupt leads from one to the other"
    }
    guard Int(outside.vcpu) < vcpus.count else { return "no signal leads from one to the other" }
    let signals = vcpus[Int(outside.vcpu)].signals
    if outside.seq > inside.seq, signals.resumeNumber == inside.rendezvous, signals.resume != 0, signals.resume < outside.seq {
      return "the resume of vCPU \(outside.vcpu) at \(signals.resume) waited for no exit of vCPU \(inside.vcpu)"
    }
    guard signals.stop != 0, signals.stopNumber == inside.rendezvous else {
      return "no stop signal was sent to vCPU \(outside.vcpu): an ack of it, waited for by the map at \(rendezvous.map), would order them"
    }
    if signals.ackNumber == inside.rendezvous, signals.ack > signals.stop, !rendezvous.waited.contains(signals.ack) {
      return "the map at \(rendezvous.map) did not wait for the ack of vCPU \(outside.vcpu) at \(signals.ack): that edge would order them"
    }
    return "the map at \(rendezvous.map) did not wait for an ack of the stop sent to vCPU \(outside.vcpu) at \(signals.stop): that edge would order them"
  }
}
