import Hypervisor
import Testing
import TraceEvents

/// Integrity mode: who gets in, what is held back from those who are in.
@Suite struct IntegrityTests {
  private func refusal(_ machine: inout Machine) -> RefusalReason? {
    machine.host.takeEvents().first { $0.kind == .refusal }.flatMap { RefusalReason(rawValue: $0.a) }
  }

  @Test func entryIsCheckedAndBalanced() {
    var machine = Machine()
    machine.call(.registerEntry, Machine.entry)
    machine.host.events = []
    #expect(machine.call(.enter, rip: Machine.entry) == -3)
    #expect(refusal(&machine) == .notRegistered)
    machine.call(.lock)
    #expect(machine.call(.enter, rip: Machine.entry + 1) == -3)
    #expect(refusal(&machine) == .wrongEntryPoint)
    #expect(machine.call(.enter, rip: Machine.entry, interrupts: true) == -3)
    #expect(refusal(&machine) == .interruptsEnabled)
    #expect(machine.call(.leave) == -3)
    #expect(refusal(&machine) == .notInMode)
    #expect(machine.call(.enter, rip: Machine.entry) == 0)
    #expect(machine.kinds() == [.hypercall, .integrityEnter, .hypercallResult])
    #expect(machine.call(.enter, rip: Machine.entry) == -3)
    #expect(refusal(&machine) == .alreadyInMode)
    #expect(machine.call(.leave) == 0)
    #expect(machine.kinds() == [.hypercall, .integrityLeave, .hypercallResult])
  }

  @Test func interruptsAreHeldUntilTheVCPULeaves() {
    var machine = Machine(vcpus: 2, locked: true)
    machine.enter()
    machine.call(.ipi, 0, 40, on: 1)
    #expect(machine.settle(0) == .run(interruptWindow: false))
    #expect(machine.host.injected[0].isEmpty)
    machine.call(.leave)
    #expect(machine.host.injected[0] == [40])
  }

  @Test func itSurvivesTheStopStateAndThePrivilegedMode() throws {
    var machine = Machine(vcpus: 2, locked: true)
    machine.enter()
    machine.call(.privileged, 1, on: 1)
    machine.settleAll()
    let ack = try #require(machine.host.events.first { $0.kind == .stopAck })
    #expect(Activity(rawValue: ack.a).inIntegrityMode)
    machine.call(.privilegedLeave, on: 1)
    machine.settleAll()
    machine.call(.privileged, 0, on: 1)
    machine.settleAll()
    let entry = try #require(machine.host.events.last { $0.kind == .modeEnter })
    #expect(entry.vcpu == 0 && Activity(rawValue: entry.d).inIntegrityMode)
    // The handler is no part of the driver.
    #expect(machine.call(.protect, 0x8000, 1, 0) == -3)
    #expect(machine.call(.leave) == -3)
    machine.call(.privilegedLeave)
    machine.settleAll()
    #expect(machine.call(.protect, 0x8000, 1, 0) == 0)
    #expect(machine.call(.offline) == -6)
  }

  // MARK: Interrupts and halts in general

  @Test func theHighestVectorComesFirstAndEqualOnesAreOne() {
    var machine = Machine(vcpus: 2)
    for vector in [50, 200, 50, 90] as [UInt64] { machine.call(.ipi, 0, vector, on: 1) }
    var delivered: [UInt8] = []
    #expect(machine.settle(0, canTakeInterrupt: false) == .run(interruptWindow: true))
    while case .run(let wants) = machine.settle(0) {
      delivered += machine.host.injected[0]
      if !wants { break }
    }
    #expect(delivered == [200, 90, 50])
    let raises = machine.host.events.filter { $0.kind == .interruptRaise && $0.b == 50 }
    let deliveries = machine.host.events.filter { $0.kind == .interruptDeliver && $0.a == 50 }
    #expect(raises.count == 2 && deliveries.map(\.cause) == [raises[0].seq])
  }

  @Test func anInterruptWakesAHaltedVCPU() throws {
    var machine = Machine(vcpus: 2)
    machine.core.handle(.halt(rip: 0x2001), on: 0, host: &machine.host)
    #expect(machine.settle(0) == .wait)
    machine.host.wakes = 0
    machine.call(.ipi, 0, 60, on: 1)
    #expect(machine.host.wakes & 1 != 0)
    machine.host.events = []
    #expect(machine.settle(0) == .run(interruptWindow: false))
    #expect(machine.kinds() == [.vcpuUnhalt, .interruptDeliver])
  }

  @Test func aHaltInTheModeIsIgnored() {
    var machine = Machine()
    machine.call(.privileged, 0)
    machine.host.events = []
    machine.core.handle(.halt(rip: 0x7000_0001), on: 0, host: &machine.host)
    #expect(machine.settle(0) == .run(interruptWindow: false))
    #expect(machine.host.events.isEmpty)
  }

  @Test func theSessionEndsWhenNothingCanWakeAnybody() {
    var machine = Machine(vcpus: 2, endsWhenIdle: true)
    machine.core.handle(.halt(rip: 0), on: 0, host: &machine.host)
    #expect(machine.settle(0) == .wait)
    machine.call(.ipi, 0, 60, on: 1)
    machine.core.handle(.halt(rip: 0), on: 1, host: &machine.host)
    #expect(machine.settle(1) == .wait)
    #expect(machine.core.sessionEnd == nil)
    #expect(machine.settle(0) == .run(interruptWindow: false))
    machine.core.handle(.halt(rip: 0), on: 0, host: &machine.host)
    #expect(machine.settle(0) == .finish)
    #expect(machine.core.sessionEnd == .allVCPUsHalted)
  }

  @Test func aVCPUHaltedWithInterruptsOffSleepsForEver() {
    var machine = Machine(vcpus: 1, endsWhenIdle: true)
    machine.call(.ipi, 0, 60)
    machine.host.injected = [[]]
    machine.call(.ipi, 0, 61)
    machine.core.handle(.halt(rip: 0), on: 0, host: &machine.host)
    #expect(machine.settle(0, canTakeInterrupt: false) == .finish)
    #expect(machine.core.sessionEnd == .allVCPUsHalted)
  }

  @Test func theLastOneToGoOfflineEndsTheSession() {
    var machine = Machine(vcpus: 2, endsWhenIdle: true)
    machine.call(.offline, on: 1)
    #expect(machine.core.sessionEnd == nil)
    machine.call(.offline)
    #expect(machine.core.sessionEnd == .guestFinished)
  }

  @Test func aGuestThatCannotGoOnEndsTheSession() {
    var machine = Machine(vcpus: 2)
    machine.core.handle(.failed(.tripleFault, detail: "at 0x10", gpa: 0x10, rip: 0x10), on: 1, host: &machine.host)
    #expect(machine.core.sessionEnd == .tripleFault)
    machine.core.requestEnd(.interrupted, host: &machine.host)
    #expect(machine.core.sessionEnd == .tripleFault)
    #expect(machine.core.sessionEndDetail == "at 0x10")
  }
}
