import Analyzer
import Testing
import TraceEvents

/// Recordings in which every write traps, or none does.
@Suite struct WriteModeTests {
  private typealias S = TreeScenario

  private func scenario(_ writes: WriteMode) -> TreeScenario {
    var scenario = TreeScenario()
    scenario.writes = writes
    return scenario
  }

  @Test func exactWritesToOrdinaryPagesBreakNothing() {
    var s = scenario(.exact)
    s.exactWrite(1, S.free)
    s.exactWrite(1, S.free + 4088, [1, 2, 3, 4, 5, 6, 7, 8])
    s.enterIntegrity(0) { $0.exactWrite(0, S.free, rip: S.entry + 0x20) }
    #expect(s.broken() == [])
  }

  /// The page is unprotected while it is still named: the very next write is told, with its address, and needs no entry in between.
  @Test func anExactWriteInTheGapIsTold() {
    var s = scenario(.exact)
    s.enterIntegrity(0) { $0.unprotect(0, S.denied) }
    s.exactWrite(1, S.denied + 8)
    #expect(s.broken() == ["tree/gap-write", "tree/untraced-mapping"])
    let finding = s.finding(.treeGapWrite)
    #expect(finding?.gpa == S.denied + 8 && finding?.rip == S.userRIP && finding?.because.isEmpty == false)
    // Beside the bytes that the mapping names.
    var beside = scenario(.exact)
    beside.enterIntegrity(0) { $0.unprotect(0, S.ranged) }
    beside.exactWrite(1, S.ranged + 8)
    #expect(beside.broken() == ["tree/untraced-mapping"])
    // In integrity mode it is the driver's business.
    var own = scenario(.exact)
    own.enterIntegrity(0) {
      $0.unprotect(0, S.denied)
      $0.exactWrite(0, S.denied, rip: S.entry + 0x20)
    }
    #expect(own.broken() == ["tree/untraced-mapping"])
  }

  @Test func anExactWriteToAnUntracedDriverPageIsTold() {
    var s = scenario(.exact)
    s.add(.traceRemove, 0, gpa: S.data, a: 1)
    s.exactWrite(1, S.data + 16)
    #expect(s.broken() == ["integrity/driver-write"])
    #expect(s.finding(.integrityDriverWrite)?.rip == S.userRIP)
  }

  @Test func anExactWriteIntoTheRegionIsTold() {
    var s = scenario(.exact)
    s.exactWrite(1, S.region.start + 64)
    #expect(s.broken() == ["stop/region-access"])
  }

  /// What was denied, and is written by somebody else after its protection ended, has not landed.
  @Test func anExactWriteReplacesWhatWasDenied() {
    var s = scenario(.exact)
    s.write(1, S.denied, 0x55, .dropped, alert: .deny)
    s.exactWrite(0, S.denied, [0x55])
    s.add(.pageContents, 0, gpa: S.denied, data: s.memory[S.denied >> 12] ?? [])
    #expect(!s.broken().contains("alert/denied-write-landed"))
  }

  // MARK: Nothing traps

  /// The machine of the scenario, where no write traps: PROTECT shows what is in the pages, and installs no trace.
  private func untrapped() -> TreeScenario {
    var s = TreeScenario(bare: 2)
    s.writes = .pages
    s.call(0, 1, [S.entry]) { $0.add(.entryPointSet, 0, rip: S.entry, cause: $1) }
    s.call(0, 2, [S.code, 1, 0]) { $0.add(.driverPagesSet, 0, gpa: S.code, cause: $1, a: 1) }
    s.buildTree()
    // As if by a hypervisor that cannot trap.
    s.events = s.events.filter { $0.kind != .traceInstall }
    for index in s.events.indices { s.events[index].seq = UInt64(index + 1) }
    s.setBase(S.base)
    s.lock()
    s.kick(1)
    return s
  }

  /// No trace is owed where none can be put on, and none is asked for.
  @Test func withoutTrapsNoTraceIsOwed() {
    var s = untrapped()
    s.enterIntegrity(0) { $0.call(0, 7, [S.free, 1, 0], rip: S.entry) }
    s.pageWrite(1, S.free)
    #expect(s.broken() == [] && s.verdict().undecided == [])
  }

  @Test func withoutTrapsAProtectedPageIsProtected() {
    var s = untrapped()
    s.kick(0)
    s.pageWrite(1, S.denied)
    s.kick(0)
    #expect(s.broken() == ["tree/protected-write"])
    #expect(s.finding(.treeProtectedWrite)?.because.count == 2)
    // Beside the bytes that are protected, and on them.
    var beside = untrapped()
    beside.kick(0)
    beside.pageWrite(1, S.ranged + 8)
    #expect(beside.broken() == [] && beside.verdict().undecided == [])
    beside.pageWrite(1, S.ranged + 600)
    beside.kick(0)
    #expect(beside.broken() == ["tree/protected-write"])
  }

  @Test(arguments: [S.base, S.leaf]) func withoutTrapsANodeIsProtected(node: UInt64) {
    var s = untrapped()
    s.kick(0)
    s.pageWrite(1, node + 4000)
    s.kick(0)
    #expect(s.broken() == ["tree/node-write"])
    #expect(s.finding(.treeNodeWrite)?.gpa == node)
  }

  /// In integrity mode vCPU 0 takes the mapping out, and tells of it only after vCPU 1 told of its write: which came first nobody knows.
  @Test func whatMayHaveBeenUnprotectedInTimeIsUndecided() {
    var s = untrapped()
    s.call(0, 5, rip: S.entry) { $0.add(.integrityEnter, 0, rip: S.entry, cause: $1) }
    s.pageWrite(1, S.denied)
    s.pageWrite(0, mappingCount(S.leaf, 0), [0, 0, 0, 0, 0, 0, 0, 0], rip: S.entry)
    s.call(0, 6, rip: S.entry) { $0.add(.integrityLeave, 0, rip: S.entry, cause: $1) }
    #expect(s.broken() == [])
    #expect(s.verdict().undecided.count == 1 && s.verdict().undecided[0].contains("page-write"), "\(s.verdict().undecided)")
    // The driver's own writes are no question.
    var own = untrapped()
    own.enterIntegrity(0) { $0.pageWrite(0, S.leaf + 4000, rip: S.entry) }
    #expect(own.broken() == [] && own.verdict().undecided == [])
  }

  /// The mapping comes in while vCPU 1 is in the guest: its write may have been earlier.
  @Test func whatMayHaveBeenProtectedTooLateIsUndecided() {
    var s = untrapped()
    s.enterIntegrity(0) {
      $0.call(0, 7, [S.free, 1, 0], rip: S.entry)
      $0.pageWrite(0, S.leaf + 64 + 2 * 32, [UInt8(S.free >> 12 & 0xff), 0], rip: S.entry)
    }
    s.pageWrite(1, S.free)
    s.kick(0)
    #expect(s.broken() == [] && s.verdict().undecided.count == 1, "\(s.verdict().undecided)")
    // From its next entry on it is certain.
    s.pageWrite(1, S.free)
    s.kick(0)
    #expect(s.broken() == ["tree/protected-write"])
  }

  /// A tree that nothing shows protects nobody knows what: that is said.
  @Test func aTreeThatIsNotShownIsNoCleanOne() {
    var s = untrapped()
    s.events.removeAll { $0.kind == .pageContents }
    for index in s.events.indices { s.events[index].seq = UInt64(index + 1) }
    #expect(s.broken() == [])
    #expect(s.verdict().undecided.contains { $0.contains("contents are not known") }, "\(s.verdict().undecided)")
  }
}
