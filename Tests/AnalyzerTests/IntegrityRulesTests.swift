import Analyzer
import Testing
import TraceEvents

/// For every rule of `integrity/`: a sequence that breaks it and nothing else, and one that comes as close as it can without.
@Suite struct IntegrityRulesTests {
  typealias S = TreeScenario

  @Test func `an entry from elsewhere is accepted`() {
    var s = S()
    s.enterIntegrity(0, rip: S.entry + 8) { _ in }
    #expect(s.broken() == ["integrity/entry-point"])
    s = S()
    s.enterIntegrity(0, rip: 0x5000) { _ in }
    #expect(s.broken() == ["integrity/entry-point", "integrity/leaked"])
    s = S()
    s.enterIntegrity(0) { _ in }
    s.enterIntegrity(1) { _ in }
    #expect(s.broken() == [])
  }

  private func refuse(_ s: inout S, refusal: Bool = true, alert: Bool) {
    s.call(1, 7, [S.free, 1, 0], status: -3) { s, call in
      guard refusal else { return }
      let seq = s.add(.refusal, 1, rip: S.userRIP, cause: call, a: RefusalReason.outsideIntegrityMode.rawValue)
      if alert { s.add(.alert, 1, rip: S.userRIP, cause: seq, a: 1, b: AlertOrigin.refusal.rawValue) }
    }
  }

  @Test func `a refusal is not answered`() {
    var s = S()
    refuse(&s, alert: true)
    #expect(s.broken() == [])
    refuse(&s, alert: false)
    #expect(s.broken() == ["integrity/refusal-unanswered"])
    s = S()
    refuse(&s, refusal: false, alert: false)
    #expect(s.broken() == ["integrity/refusal-unanswered"])
  }

  @Test func `something is registered after the lock`() {
    var s = S()
    s.call(0, 1) { $0.add(.entryPointSet, 0, rip: 0x5000, cause: $1) }
    #expect(s.broken() == ["integrity/registration"])
    s = S()
    s.registerPages(S.free, .data)
    #expect(s.broken() == ["integrity/registration"])
    s = S()
    s.setBase(S.base)
    #expect(s.broken() == ["integrity/registration"])
    s = S(bare: 1)
    s.register()
    s.registerPages(S.free, .data)
    s.lock()
    #expect(s.broken() == [])
  }

  @Test func `protection is granted to a vCPU outside`() {
    var s = S()
    s.protect(1, S.denied, rip: S.userRIP, installs: false)
    #expect(s.broken() == ["integrity/hypercall-outside"])
    s = S()
    s.call(1, 7, [S.denied, 1, 0], status: -4)
    #expect(s.broken() == [])
  }

  @Test func `a driver page is written`() {
    var s = S()
    s.enterIntegrity(0) { $0.write(0, S.code + 0x800, 7, .applied, alert: .notify, .driverPage, rip: S.entry) }
    #expect(s.broken() == ["alert/wrong-action", "integrity/driver-write"])
    s = S()
    s.kick(1)
    s.pageWrite(1, S.data)
    #expect(s.broken() == ["integrity/driver-write"])
    s = S()
    s.enterIntegrity(0) { s in
      s.driverWrite(0, S.data + 8, 7)
      s.write(0, S.code, 7, .dropped, alert: .deny, .driverPage, rip: S.entry)
    }
    s.write(1, S.data, 7, .dropped, alert: .deny, .driverPage)
    #expect(s.broken() == [])
  }

  @Test func `an interrupt comes in integrity mode`() {
    var s = S()
    let raised = s.add(.interruptRaise, 1, a: 0, b: 40)
    s.enterIntegrity(0) { $0.add(.interruptDeliver, 0, cause: raised, a: 40) }
    #expect(s.broken() == ["integrity/interrupted"])
    s = S()
    let other = s.add(.interruptRaise, 1, a: 0, b: 40)
    s.enterIntegrity(0) { _ in }
    s.add(.interruptDeliver, 0, cause: other, a: 40)
    #expect(s.broken() == [])
  }

  @Test func `integrity mode leaks`() {
    var s = S()
    s.enterIntegrity(0) { $0.kick(0, rip: 0x5000) }
    #expect(s.broken() == ["integrity/leaked"])
    s = S()
    s.enterIntegrity(0) { s in
      s.exit(0, .halt, rip: S.entry)
      s.add(.vcpuHalt, 0, rip: S.entry)
      let raise = s.add(.interruptRaise, 1, a: 0, b: 40)
      s.add(.vcpuUnhalt, 0, cause: raise)
      s.enter(0, rip: S.entry)
    }
    #expect(s.broken() == ["integrity/leaked"])
    // One past the last instruction of the driver's page is still the driver.
    s = S()
    s.enterIntegrity(0) { $0.kick(0, rip: S.code + 4096) }
    #expect(s.broken() == [])
  }

  @Test func `entries and leaves do not pair`() {
    var s = S()
    s.enterIntegrity(0) { s in s.enterIntegrity(0) { _ in } }
    #expect(s.broken() == ["integrity/unbalanced"])
    #expect(s.finding(.integrityUnbalanced)?.count == 2)
    s = S()
    s.enterIntegrity(0) { _ in }
    s.enterIntegrity(0) { _ in }
    #expect(s.broken() == [])
  }
}
