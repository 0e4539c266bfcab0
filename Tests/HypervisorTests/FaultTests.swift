import Hypervisor
import Testing
import TraceEvents
import TreeFormat

/// The catalogue of faults, and those of them that other suites leave out.
@Suite struct FaultTests {
  @Test func theTableFollowsTheCases() {
    #expect(Fault.table.count == Fault.allCases.count)
    for fault in Fault.allCases {
      #expect(fault.entry.fault == fault)
      #expect(Fault(name: fault.name) == fault)
      #expect(!fault.entry.description.isEmpty && !fault.entry.trigger.isEmpty)
      #expect(Set(fault.entry.rules).isDisjoint(with: fault.entry.may))
    }
    #expect(Set(Fault.table.map(\.name)).count == Fault.table.count)
    #expect(Fault(name: "stop/nothing") == nil)
  }

  @Test func theFaultsThatWereAskedForAreThere() {
    for name in [
      "stop/enter-before-acks", "stop/map-early", "stop/resume-not-last", "tree/skip-node-trace", "integrity/accept-any-entry", "alert/drop",
    ] { #expect(Fault(name: name) != nil, "\(name)") }
  }

  @Test func setsHoldWhatTheyAreGiven() {
    let set = FaultSet([.mapEarly, .dropAlert])
    for fault in Fault.allCases { #expect(set.contains(fault) == (fault == .mapEarly || fault == .dropAlert)) }
  }

  @Test func skippedTracesAreReportedAsInstalled() {
    var nodes = Machine(faults: FaultSet(.skipNodeTrace))
    nodes.put(Machine.leaf([]), at: 0x8000)
    #expect(nodes.call(.protect, 0x8000, 1, 1) == 0)
    #expect(nodes.kinds() == [.hypercall, .hypercallResult])
    #expect(nodes.host.tracedPages.isEmpty)
    #expect(nodes.call(.protect, 0x8000, 1, 1) == -4)
    #expect(nodes.call(.setBase, 0x8000) == 0)
    #expect(nodes.call(.protect, 0x9000, 1, 0) == 0)
    #expect(nodes.host.tracedPages == [9])
    var pages = Machine(faults: FaultSet(.skipMappingTrace), locked: true)
    pages.enter()
    #expect(pages.call(.protect, 0x8000, 2, 1) == 0)
    #expect(pages.call(.protect, 0xa000, 2, 0) == 0)
    #expect(pages.host.tracedPages == [8, 9])
    pages.host.events = []
    #expect(pages.call(.unprotect, 0x8000, 4) == 0)
    #expect(pages.kinds() == [.hypercall, .traceRemove, .hypercallResult])
    #expect(pages.call(.unprotect, 0xa000, 1) == -5)
  }

  @Test func linkedPagesLoseTheirTraces() {
    var machine = Machine(faults: FaultSet(.unprotectLinked))
    machine.plant([(0x8000, Machine.leaf([TreeNode.Mapping(firstGFN: 16, action: 1)]))])
    machine.enter()
    #expect(machine.call(.unprotect, 0x10000, 1) == 0)
    #expect(!machine.host.tracedPages.contains(16))
  }

  @Test func anyEntryIsAcceptedWithInterruptsOff() {
    var machine = Machine(faults: FaultSet(.acceptAnyEntry), locked: true)
    #expect(machine.call(.enter, rip: 0x7777, interrupts: true) == -3)
    #expect(machine.call(.enter, rip: 0x7777) == 0)
    #expect(machine.host.events.contains { $0.kind == .integrityEnter && $0.rip == 0x7777 })
  }

  @Test func theOtherFaultsOfIntegrityMode() {
    var outside = Machine(faults: FaultSet(.acceptOutside), locked: true)
    #expect(outside.call(.protect, 0x8000, 1, 0) == 0)
    #expect(outside.call(.unprotect, 0x8000, 1) == 0)
    var late = Machine(faults: FaultSet(.acceptLateRegistration), locked: true)
    #expect(late.call(.registerEntry, 0x6000) == 0)
    #expect(late.kinds() == [.hypercall, .entryPointSet, .hypercallResult])
    #expect(late.call(.lock) == -3)
    var silent = Machine(faults: FaultSet(.silentRefusal), locked: true)
    #expect(silent.call(.leave) == -3)
    #expect(silent.kinds() == [.hypercall, .refusal, .hypercallResult])
    var open = Machine(faults: FaultSet(.openDriverData))
    open.call(.registerPages, 0x8000, 1, 1)
    open.call(.registerPages, 0x9000, 1, 0)
    #expect(open.write(0x8000).map(\.kind) == [.writeTrap, .writeResult])
    #expect(open.write(0x9000).map(\.kind) == [.writeTrap, .alert, .writeResult])
  }
}
