import Analyzer
import Testing
import TraceEvents

/// For every rule of `alert/`: a sequence that breaks it and nothing else, and one that comes as close as it can without.
@Suite struct AlertRulesTests {
  typealias S = TreeScenario

  @Test func `every alert that is called for`() {
    var s = S()
    s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping)
    s.write(1, S.ranged + 1016, 7, .dropped, alert: .deny, .mapping)
    s.write(1, S.leaf, 7, .dropped, alert: .deny, .node)
    s.write(1, S.code, 7, .dropped, alert: .deny, .driverPage)
    s.write(1, S.data, 7, .dropped, alert: .deny, .driverPage)
    s.enterIntegrity(0) { s in
      s.write(0, S.code, 7, .dropped, alert: .deny, .driverPage, rip: S.entry)
      s.driverWrite(0, S.data, 7)
    }
    #expect(s.broken() == [])
  }

  @Test func `an alert is missing`() {
    var s = S()
    let trap = s.write(1, S.denied, 7, .dropped)
    #expect(s.broken() == ["alert/missing"])
    #expect(s.finding(.alertMissing)?.seq == trap)
    #expect(s.finding(.alertMissing)?.gpa == S.denied)
  }

  @Test func `the end of the recording leaves an alert open`() {
    var s = S()
    s.write(1, S.denied, 7, .dropped)
    #expect(s.events.removeLast().kind == .guestEnter)
    #expect(s.broken(complete: false) == [])
    #expect(s.verdict(complete: false).undecided.contains { $0.contains("trapped at") })
    #expect(s.broken() == ["alert/missing"])
  }

  @Test(arguments: [EndReason.sizeCap, .diskFull])
  func `a size cap or a full disk in mid-operation leaves an alert open`(reason: EndReason) {
    var s = S()
    s.write(1, S.denied, 7, .dropped)
    #expect(s.events.removeLast().kind == .guestEnter)
    s.add(.sessionEnd, Event.host, a: reason.rawValue)
    let verdict = s.verdict(complete: false)
    #expect(verdict.outcome == .clean && verdict.findings.isEmpty)
    #expect(verdict.undecided.contains { $0.contains("trapped at") })
  }

  @Test func `an alert is late`() {
    var s = S()
    let trap = s.write(1, S.denied, 7, .dropped)
    s.kick(0)
    s.add(.alert, 1, gpa: S.denied, cause: trap, a: 1, b: AlertOrigin.mapping.rawValue)
    #expect(s.broken() == ["alert/late"])
    // In time is: before the vCPU enters the guest again, whatever others do meanwhile.
    s = S()
    let other = s.write(1, S.denied, 7, .dropped)
    s.events.removeLast()
    s.kick(0)
    s.add(.alert, 1, gpa: S.denied, cause: other, a: 1, b: AlertOrigin.mapping.rawValue)
    s.enter(1)
    #expect(s.broken() == [])
  }

  @Test func `an alert has the wrong action`() {
    var s = S()
    s.write(1, S.denied, 7, .dropped, alert: .suspend, .mapping)
    #expect(s.broken() == ["alert/wrong-action"])
    s = S()
    s.write(1, S.denied, 7, .dropped, alert: .deny, .node)
    #expect(s.broken() == ["alert/wrong-action"])
  }

  @Test func `the action is taken from the tree as it was at the trap`() {
    var s = S()
    s.enterIntegrity(0) { $0.driverWrite(0, S.leaf + 64 + 20, 3, count: 1) }
    s.write(1, S.denied, 7, .dropped, alert: .terminate, .mapping)
    #expect(s.broken() == [])
    s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping)
    #expect(s.broken() == ["alert/wrong-action"])
  }

  @Test func `of several mappings the most severe action is performed`() {
    // A second mapping of the page, right behind the first: 512 to 1023 denies, 1024 to 1027 terminates.
    var s = S()
    s.enterIntegrity(0) { s in
      s.driverWrite(0, S.leaf + 64 + 96, S.ranged >> 12)
      s.driverWrite(0, S.leaf + 64 + 96 + 16, 1024 | 1028 << 16 | 3 << 32)
      // Keys ascend: `noticed` makes room first.
      s.driverWrite(0, mappingCount(S.leaf, 2), 0)
      s.driverWrite(0, S.leaf + 64 + 96 + 8, 1)
      s.driverWrite(0, S.leaf + 8, 4, count: 2)
      s.unprotect(0, S.noticed)
    }
    s.write(1, S.ranged + 1020, 7, .dropped, alert: .terminate, .mapping)
    s.write(1, S.ranged + 1016, 7, .dropped, alert: .deny, .mapping)
    #expect(s.broken() == [])
    s.write(1, S.ranged + 1020, 7, .dropped, alert: .deny, .mapping)
    #expect(s.broken() == ["alert/wrong-action"])
  }

  @Test func `an alert comes for nothing`() {
    var s = S()
    s.write(1, S.ranged, 7, .applied, alert: .notify, .mapping)
    #expect(s.broken() == ["alert/spurious"])
    s = S()
    s.enterIntegrity(0) { $0.write(0, S.denied, 7, .applied, alert: .notify, .mapping, rip: S.entry) }
    #expect(s.broken() == ["alert/spurious"])
    s = S()
    s.add(.alert, 1, cause: 3, a: 1, b: AlertOrigin.refusal.rawValue)
    #expect(s.broken() == ["alert/spurious"])
    s = S()
    let trap = s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping)
    s.events.removeLast()
    s.add(.alert, 1, cause: trap, a: 1, b: AlertOrigin.mapping.rawValue)
    #expect(s.broken() == ["alert/spurious"])
  }

  @Test func `a denied write lands at once`() {
    var s = S()
    s.write(1, S.denied, 7, .applied, alert: .deny, .mapping)
    #expect(s.broken() == ["alert/denied-write-landed"])
    #expect(s.finding(.alertDeniedWriteLanded)?.also == [.treeProtectedWrite])
    s = S()
    s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping, showsAfter: [7, 0, 0, 0, 0, 0, 0, 0])
    #expect(s.broken() == ["alert/denied-write-landed"])
    // What was there before is no sign.
    s = S()
    s.enterIntegrity(0) { $0.driverWrite(0, S.denied, 7) }
    s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping)
    #expect(s.broken() == [])
  }

  @Test func `a denied write shows later`() {
    var s = S()
    s.write(1, S.denied + 8, 7, .dropped, alert: .deny, .mapping)
    s.store([7], at: S.denied + 8)
    s.write(0, S.denied + 8, 9, .dropped, alert: .deny, .mapping)
    #expect(s.broken() == ["alert/denied-write-landed"])
    // Unless somebody wrote the same.
    s = S()
    s.write(1, S.denied + 8, 7, .dropped, alert: .deny, .mapping)
    s.enterIntegrity(0) { $0.driverWrite(0, S.denied + 8, 7) }
    s.write(0, S.denied + 8, 9, .dropped, alert: .deny, .mapping)
    #expect(s.broken() == [])
    // Or the page was free in between.
    s = S()
    s.write(1, S.denied + 8, 7, .dropped, alert: .deny, .mapping)
    s.enterIntegrity(0) { s in
      s.driverWrite(0, mappingCount(S.leaf, 0), 0)
      s.unprotect(0, S.denied)
      s.kick(1)
      s.pageWrite(1, S.denied + 8, [7])
      s.protect(0, S.denied)
      s.driverWrite(0, mappingCount(S.leaf, 0), 1)
    }
    #expect(s.broken() == [])
  }

  @Test func `notify lets the write through`() {
    var s = S()
    s.write(1, S.noticed, 7, .dropped, alert: .notify, .mapping)
    #expect(s.broken() == ["alert/wrong-action"])
  }

  @Test func `what alerts stopped is counted by who tried, and is no finding`() {
    var s = S()
    s.write(1, S.noticed, 7, .applied, alert: .notify, .mapping)
    s.enterIntegrity(0) { $0.driverWrite(0, S.data, 7) }
    #expect(s.verdict().stopped.count == 0 && s.verdict().stopped.byInstruction.isEmpty)
    s = S()
    let first = s.write(1, S.denied + 16, 7, .dropped, alert: .deny, .mapping)
    s.write(0, S.denied, 8, .dropped, alert: .deny, .mapping)
    let other = s.write(0, S.leaf, 7, .dropped, alert: .deny, .node, rip: S.userRIP + 5)
    let verdict = s.verdict()
    #expect(verdict.outcome == .clean && verdict.findings.isEmpty)
    let deny = AlertAction.deny.rawValue
    #expect(verdict.stopped.count == 3 && !verdict.stopped.isCut)
    #expect(
      verdict.stopped.byInstruction == [
        StoppedWrites.Attempts(rip: S.userRIP, count: 2, seq: first, vcpu: 1, gpa: S.denied + 16, action: deny),
        StoppedWrites.Attempts(rip: S.userRIP + 5, count: 1, seq: other, vcpu: 0, gpa: S.leaf, action: deny),
      ])
  }

  @Test func `a write that ends the recording was stopped, one that landed was not`() {
    var s = S()
    s.write(1, S.denied, 7, .dropped, alert: .terminate, .mapping)
    s.events.removeLast()
    #expect(s.verdict().stopped.byInstruction.map(\.action) == [AlertAction.terminate.rawValue])
    // Nor is it forgotten where events are missing right behind it.
    s.events.append(Event(.guestEnter, vcpu: 1, seq: s.events.last!.seq + 9, rip: S.userRIP))
    #expect(s.verdict(complete: false).stopped.count == 1)
    s = S()
    s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping, showsAfter: [7, 0, 0, 0, 0, 0, 0, 0])
    #expect(s.broken() == ["alert/denied-write-landed"] && s.verdict().stopped.count == 0)
    // An alert that never came did not stop it; that it was dropped did.
    s = S()
    s.write(1, S.denied, 7, .dropped)
    #expect(s.verdict().stopped.byInstruction.map(\.action) == [nil])
  }

  /// As in a recording of which only the end was kept.
  @Test func `a write that landed where the tree is not known is left open`() {
    var s = S()
    s.add(.eventsLost, Event.host, a: 5, b: LossCause.flightRecorder.rawValue)
    let first = s.write(1, S.noticed, 7, .applied, alert: .notify, .mapping)
    s.write(1, S.noticed, 8, .applied, alert: .notify, .mapping)
    s.write(1, S.denied, 8, .dropped, alert: .deny, .mapping)
    let verdict = s.verdict()
    #expect(verdict.outcome == .incomplete && verdict.undecided.contains { $0.hasPrefix("whether 2 writes, the first at \(first), broke a rule") })
  }

  @Test func `instructions that there is no room for are counted`() {
    var s = S()
    for index in 0...StoppedWrites.limit { s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping, rip: S.userRIP + UInt64(index)) }
    let stopped = s.verdict().stopped
    #expect(stopped.count == UInt64(StoppedWrites.limit) + 1 && stopped.byInstruction.count == StoppedWrites.limit && stopped.isCut)
  }

  @Test func `one byte is one byte`() {
    var s = S()
    s.write(1, S.noticed, 7, count: 1, .applied, alert: .notify, .mapping)
    #expect(s.finding(.treeProtectedWrite)?.observed.contains("wrote 1 byte at") == true)
    s = S()
    s.write(1, S.noticed, 7, count: 2, .applied, alert: .notify, .mapping)
    #expect(s.finding(.treeProtectedWrite)?.observed.contains("wrote 2 bytes at") == true)
  }

  @Test func `the region is touched while it is not mapped`() {
    var s = S()
    func access(_ s: inout S, alert: Bool) {
      s.exit(1, .unmappedAccess)
      let seq = s.add(.regionAccess, 1, gpa: S.region.start, rip: S.userRIP, a: 1, data: [1])
      if alert { s.add(.alert, 1, gpa: S.region.start, cause: seq, a: 1, b: AlertOrigin.region.rawValue) }
      s.enter(1)
    }
    access(&s, alert: true)
    #expect(s.broken().filter { $0.hasPrefix("alert/") } == [])
    access(&s, alert: false)
    #expect(s.broken().filter { $0.hasPrefix("alert/") } == ["alert/missing"])
  }
}
