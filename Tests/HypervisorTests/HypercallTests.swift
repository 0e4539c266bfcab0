import Hypervisor
import Testing
import TraceEvents
import TreeFormat

/// Each hypercall: what it does, its errors, its refusals.
@Suite struct HypercallTests {
  @Test func versionAndYield() {
    var machine = Machine()
    #expect(machine.call(.version) == 0)
    #expect(machine.host.values[0] == 1)
    #expect(machine.kinds() == [.hypercall, .hypercallResult])
    #expect(machine.call(.yield) == 0)
  }

  @Test(arguments: [17 as UInt64, 1000, .max]) func unknownNumbersAreErrors(_ number: UInt64) {
    var machine = Machine()
    #expect(machine.raw(number, [1, 2, 3, 4, 5]) == -1)
    let events = machine.host.takeEvents()
    #expect(events.map(\.kind) == [.hypercall, .hypercallResult])
    #expect(events[0].data.count == 40)
    #expect(events[1].cause == events[0].seq)
  }

  @Test func missingArgumentsCountAsZero() {
    var machine = Machine()
    #expect(machine.raw(12, []) == -4)  // vCPU 0 runs already.
  }

  @Test func onlyArgumentsThatCountAreRecorded() {
    var machine = Machine()
    _ = machine.raw(9, [0, 11, 12, 13, 14])
    #expect(machine.host.events[0].data == [0, 0, 0, 0, 0, 0, 0, 0])
  }

  // MARK: Registration

  @Test func registrationHappensOnceAndIsLocked() {
    var machine = Machine()
    #expect(machine.call(.lock) == -3)
    #expect(machine.kinds() == [.hypercall, .refusal, .alert, .hypercallResult])
    #expect(machine.call(.registerEntry, 1 << 40) == -2)
    #expect(machine.call(.registerEntry, Machine.entry) == 0)
    #expect(machine.call(.registerEntry, 0x6000) == -4)
    #expect(machine.call(.lock) == 0)
    machine.host.events = []
    #expect(machine.call(.registerEntry, 0x6000) == -3)
    let events = machine.host.takeEvents()
    #expect(events.map(\.kind) == [.hypercall, .refusal, .alert, .hypercallResult])
    #expect(events[1].a == RefusalReason.registrationLocked.rawValue)
    #expect(events[1].cause == events[0].seq)
    #expect(events[2].cause == events[1].seq)
    #expect(events[2].alertAction == .deny)
    #expect(events[2].alertOrigin == .refusal)
    #expect(machine.call(.registerPages, 0x8000, 1, 0) == -3)
    #expect(machine.call(.setBase, 0x8000) == -3)
    #expect(machine.call(.lock) == -3)
  }

  @Test func driverPagesAreTracedAndRecorded() {
    var machine = Machine()
    machine.host.writeMemory(gpa: 0x8010, [9])
    #expect(machine.call(.registerPages, 0x8000, 2, 1) == 0)
    let events = machine.host.takeEvents()
    #expect(events.map(\.kind) == [.hypercall, .traceInstall, .pageContents, .pageContents, .driverPagesSet, .hypercallResult])
    #expect(events[1].gpa == 0x8000 && events[1].a == 2)
    #expect(events[2].data.count == 4096 && events[2].data[0x10] == 9)
    #expect(events[4].b == DriverPageKind.data.rawValue)
    #expect(machine.host.tracedPages == [8, 9])
    #expect(machine.call(.registerPages, 0x9000, 2, 0) == -4)
    #expect(machine.call(.registerPages, 0xa001, 1, 0) == -2)
    #expect(machine.call(.registerPages, 0xa000, 0, 0) == -2)
    #expect(machine.call(.registerPages, 0xa000, 1, 2) == -2)
    #expect(machine.call(.registerPages, 0xa000, .max, 0) == -2)
    #expect(machine.call(.registerPages, 0xf000, 4096, 0) == -2)
    #expect(machine.call(.registerPages, Machine.region.start, 1, 0) == -2)
  }

  @Test func theBaseMustBeATracedNode() {
    var machine = Machine()
    #expect(machine.call(.setBase, 0x8001) == -2)
    #expect(machine.call(.setBase, 1 << 30) == -2)
    #expect(machine.call(.setBase, 0x8000) == -5)
    #expect(machine.call(.protect, 0x8000, 1, 1) == 0)
    #expect(machine.call(.setBase, 0x8000) == -7)
    machine.put(Machine.leaf([]), at: 0x8000)
    #expect(machine.call(.setBase, 0x8000) == 0)
    #expect(machine.call(.setBase, 0x8000) == -4)
  }

  // MARK: Protection

  @Test func protectionNeedsIntegrityModeAfterTheLock() {
    var machine = Machine(locked: true)
    #expect(machine.call(.protect, 0x8000, 1, 0) == -3)
    #expect(machine.host.events[1].a == RefusalReason.outsideIntegrityMode.rawValue)
    #expect(machine.call(.unprotect, 0x8000, 1) == -3)
    machine.enter()
    machine.host.events = []
    #expect(machine.call(.protect, 0x8000, 2, 0) == 0)
    #expect(machine.kinds() == [.hypercall, .traceInstall, .pageContents, .pageContents, .hypercallResult])
    #expect(machine.call(.protect, 0x9000, 1, 0) == -4)
    #expect(machine.call(.protect, 0xa000, 1, 2) == -2)
    #expect(machine.call(.protect, 0xa000, 4097, 0) == -2)
    #expect(machine.call(.protect, 0xa800, 1, 0) == -2)
    machine.host.events = []
    #expect(machine.call(.unprotect, 0x8000, 1) == 0)
    #expect(machine.kinds() == [.hypercall, .traceRemove, .hypercallResult])
    #expect(machine.host.tracedPages == [9])
    #expect(machine.call(.unprotect, 0x8000, 1) == -5)
    #expect(machine.call(.unprotect, 0x8000, 2) == -5)
    #expect(machine.call(.unprotect, 0x9001, 1) == -2)
    #expect(machine.call(.unprotect, 0x9000, 1) == 0)
  }

  @Test func whatTheTreeNamesStaysProtected() {
    var machine = Machine()
    machine.call(.registerPages, 0x20000, 1, 0)
    machine.plant([(0x8000, Machine.leaf([TreeNode.Mapping(firstGFN: 16, pageCount: 2, action: 1)]))])
    machine.enter()
    for gpa in [0x8000, 0x10000, 0x11000, 0x20000] as [UInt64] {
      machine.host.events = []
      #expect(machine.call(.unprotect, gpa, 1) == -6)
      let events = machine.host.takeEvents()
      #expect(events.map(\.kind) == [.hypercall, .refusal, .alert, .hypercallResult])
      #expect(events[1].a == RefusalReason.stillProtected.rawValue)
    }
    // Both or neither.
    #expect(machine.call(.protect, 0x12000, 1, 0) == 0)
    #expect(machine.call(.unprotect, 0x11000, 2) == -6)
    #expect(machine.host.tracedPages.contains(0x12))
    // Unlinked by the driver, in one store: then it may go.
    _ = machine.write(0x8000 + 64 + 8, [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(machine.call(.unprotect, 0x10000, 3) == 0)
  }

  // MARK: The privileged mode, interrupts, vCPUs

  @Test func requestsForTheModeNeedAnOnlineTarget() {
    var machine = Machine(vcpus: 2)
    #expect(machine.call(.privileged, 2) == -2)
    #expect(machine.call(.privileged, .max) == -2)
    machine.call(.offline, on: 1)
    #expect(machine.call(.privileged, 1) == -5)
    #expect(machine.call(.ipi, 1, 32) == -5)
    #expect(machine.call(.ipi, 2, 32) == -2)
    #expect(machine.call(.ipi, 0, 31) == -2)
    #expect(machine.call(.ipi, 0, 256) == -2)
    #expect(machine.call(.ipi, 0, 255) == 0)
    #expect(machine.host.injected[0] == [255])
  }

  @Test func leavingTheModeFromOutsideIsRefused() {
    var machine = Machine()
    #expect(machine.call(.privilegedLeave) == -3)
    #expect(machine.host.events[1].a == RefusalReason.notInMode.rawValue)
  }

  @Test func oneVCPUGoesThroughTheModeAndBack() {
    var machine = Machine()
    let before = machine.host.vcpus[0].rip
    #expect(machine.call(.privileged, 0) == 0)
    #expect(machine.kinds() == [.hypercall, .privilegedRaise, .hypercallResult, .rendezvousClaim, .regionMap, .modeEnter])
    #expect(machine.host.isRegionMapped)
    #expect(machine.call(.offline) == -6)
    #expect(machine.call(.enter, rip: Machine.entry) == -3)
    #expect(machine.kinds() == [.hypercall, .hypercallResult, .hypercall, .refusal, .alert, .hypercallResult])
    #expect(machine.call(.privilegedLeave) == nil)
    #expect(machine.kinds() == [.hypercall, .modeExit, .regionUnmap, .rendezvousEnd, .modeReturn])
    #expect(!machine.host.isRegionMapped)
    #expect(machine.host.vcpus[0].rip == before)
  }

  @Test func startingAndGoingOffline() {
    var machine = Machine(vcpus: 3)
    #expect(machine.call(.startVCPU, 1, 0x1000, 0) == -4)
    #expect(machine.call(.startVCPU, 3, 0x1000, 0) == -2)
    #expect(machine.call(.startVCPU, 1, 1 << 50, 0) == -2)
    #expect(machine.call(.offline, on: 1) == nil)
    #expect(machine.settle(1) == .finish)
    #expect(machine.call(.startVCPU, 1, 0x1000, 0) == -5)
  }

  @Test func goingOfflineIsRefusedWithAnInterruptLatched() {
    var machine = Machine(vcpus: 2)
    machine.core.handle(
      .hypercall(number: 9, arguments: [1], rip: 0x2000, interruptsEnabled: false), on: 0, host: &machine.host)
    #expect(machine.call(.offline, on: 1) == -6)
  }

  @Test func goingOfflineAnswersAStop() throws {
    var machine = Machine(vcpus: 2)
    machine.call(.privileged, 0)
    let stop = try #require(machine.host.takeEvents().first { $0.kind == .stopSend })
    #expect(machine.call(.offline, on: 1) == nil)
    let offline = try #require(machine.host.events.first { $0.kind == .vcpuOffline })
    #expect(offline.cause == stop.seq && offline.b == 1)
    machine.settle(0)
    let map = try #require(machine.host.events.first { $0.kind == .regionMap })
    #expect(map.data == (0..<8).map { UInt8(truncatingIfNeeded: offline.seq >> ($0 * 8)) })
  }

  @Test func aHypercallThatMeetsAStopIsOwed() throws {
    var machine = Machine(vcpus: 2)
    machine.call(.privileged, 0)
    #expect(machine.call(.yield, on: 1) == nil)
    let ack = try #require(machine.host.events.first { $0.kind == .stopAck })
    #expect(ack.a == Activity.inHypercall.rawValue)
    machine.settle(0)
    machine.call(.privilegedLeave)
    machine.settleAll()
    #expect(machine.host.results[1] == 0)
    let kinds = machine.host.takeEvents().filter { $0.vcpu == 1 }.map(\.kind)
    #expect(kinds == [.hypercall, .stopAck, .resumeTake, .hypercallResult])
  }

  // MARK: Console, end

  @Test func consolePrintsFromRAMOnly() {
    var machine = Machine()
    machine.host.writeMemory(gpa: 0x3000, Array("hello".utf8))
    #expect(machine.call(.console, 0x3000, 5) == 0)
    #expect(machine.host.events[1].data == Array("hello".utf8))
    #expect(machine.call(.console, 0x3000, 4097) == -2)
    #expect(machine.call(.console, 16 * Machine.megabyte - 2, 3) == -2)
    #expect(machine.call(.console, .max, 2) == -2)
    #expect(machine.call(.console, Machine.region.start, 2) == -2)
    #expect(machine.call(.console, 0x3000, 0) == 0)
  }

  @Test func finishEndsTheSessionForAll() {
    var machine = Machine(vcpus: 2)
    #expect(machine.call(.finish, 3) == nil)
    #expect(machine.core.sessionEnd == .guestFinished)
    #expect(machine.core.sessionEndDetail == "exit code 3")
    #expect(machine.host.kicks & 2 != 0)
    machine.host.events = []
    #expect(machine.call(.yield, on: 1) == nil)
    #expect(machine.settle(1) == .finish)
    #expect(machine.host.events.isEmpty)
  }
}
