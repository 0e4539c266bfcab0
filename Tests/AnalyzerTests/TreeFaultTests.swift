import Analyzer
import Testing
import TraceEvents
import TreeFormat

/// What the faults that a recorder can plant look like from here: each breaks its own rule.
@Suite struct TreeFaultTests {
  typealias S = TreeScenario

  @Test func `a node's trace is skipped, and the attacker finds it`() {
    var s = S()
    s.enterIntegrity(0) { s in
      s.put(TreeNode(level: 0, action: 1, lowGFN: 0, endGFN: 1 << 36, body: .leaf([.init(firstGFN: S.denied >> 12, action: 1)])), at: S.spare)
      s.protect(0, S.spare, installs: false)
      s.driverWrite(0, S.base + 72, S.spare)
      s.unprotect(0, S.leaf)
      s.unprotect(0, S.ranged, pages: 2)
    }
    // The contents of the node were never shown: what it protects is not known, and nothing is said of it.
    s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping)
    s.write(1, S.denied, 7, .applied)
    #expect(s.broken() == ["tree/untraced-node"])
    s.pageWrite(1, S.spare + 64, [1])
    #expect(s.broken() == ["tree/gap-write", "tree/untraced-node"])
    #expect(s.finding(.treeGapWrite)?.also == [.treeNodeWrite])
  }

  @Test func `every alert is dropped`() {
    var s = S()
    for _ in 0..<200 { s.write(1, S.denied, 7, .dropped) }
    #expect(s.broken() == ["alert/missing"])
    #expect(s.finding(.alertMissing)?.count == 200)
  }

  @Test func `any entry is accepted`() {
    var s = S()
    s.call(1, 5, rip: 0x5000) { $0.add(.integrityEnter, 1, rip: 0x5000, cause: $1) }
    #expect(s.broken().contains("integrity/entry-point"))
    #expect(Set(s.broken()).isSubset(of: ["integrity/entry-point", "integrity/leaked"]))
  }

  @Test func `a vCPU in the privileged mode is outside integrity mode, and comes back into it`() {
    var s = S()
    let inside = Activity.running.inIntegrityMode(true).rawValue
    s.enterIntegrity(0) { s in
      s.exit(0, .kick, rip: S.entry)
      let raise = s.add(.privilegedRaise, Event.host, a: 0)
      s.add(.rendezvousClaim, 0, cause: raise, b: 1)
      let stop = s.add(.stopSend, 0, a: 1, b: 1)
      s.exit(1, .kick)
      let ack = s.add(.stopAck, 1, rip: S.userRIP, cause: stop, a: 0, b: 1)
      s.add(.regionMap, 0, gpa: S.region.start, a: S.region.length, b: 1, data: (0..<8).map { UInt8(truncatingIfNeeded: ack >> ($0 * 8)) })
      s.add(.modeEnter, 0, rip: S.entry, cause: raise, b: 1, d: inside)
      s.enter(0, rip: S.region.start)
      s.write(0, S.denied, 7, .dropped, alert: .deny, .mapping, rip: S.region.start)
      s.exit(0, .hypercall, rip: S.region.start)
      let exit = s.add(.modeExit, 0, a: ExitPath.last.rawValue, b: 1)
      let unmap = s.add(.regionUnmap, 0, gpa: S.region.start, cause: exit, a: S.region.length, b: 1)
      let resume = s.add(.resumeSend, 0, cause: unmap, a: 1, b: 1)
      s.add(.rendezvousEnd, 0, b: 1)
      s.add(.modeReturn, 0, rip: S.entry, a: inside, b: 1)
      s.enter(0, rip: S.entry)
      s.add(.resumeTake, 1, rip: S.userRIP, cause: resume, a: 0, b: 1)
      s.enter(1)
      s.driverWrite(0, S.denied, 8)
    }
    #expect(s.broken().filter { !$0.hasPrefix("stop/") } == [])
  }
}
