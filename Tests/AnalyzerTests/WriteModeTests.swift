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

  /// No trace is owed where none can be put on: the hypervisor says nothing of traces, and the analyzer asks for none.
  @Test func withoutTrapsNoTraceIsOwed() {
    func recording(_ writes: WriteMode) -> TreeScenario {
      var s = TreeScenario(bare: 2)
      s.writes = writes
      s.call(0, 1, [S.entry]) { $0.add(.entryPointSet, 0, rip: S.entry, cause: $1) }
      s.call(0, 2, [S.code, 1, 0]) { $0.add(.driverPagesSet, 0, gpa: S.code, cause: $1, a: 1) }
      s.call(0, 7, [S.base, 2, 1])
      s.call(0, 7, [S.denied, 1, 0])
      s.setBase(S.base)
      s.lock()
      s.enterIntegrity(0) { $0.call(0, 7, [S.free, 1, 0], rip: S.entry) }
      s.pageWrite(1, S.denied)
      return s
    }
    #expect(recording(.pages).broken() == [])
    #expect(recording(.protected).broken() == ["tree/untraced-node"])
  }
}
