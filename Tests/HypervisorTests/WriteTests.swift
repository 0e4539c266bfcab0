import Hypervisor
import Testing
import TraceEvents
import TreeFormat

/// What becomes of trapped writes.
@Suite struct WriteTests {
  static let base: UInt64 = 0x8000
  static let page: UInt64 = 0x10000

  /// A tree of one leaf: page 16 with this action.
  private func machine(_ action: AlertAction, node: AlertAction = .deny, vcpus: Int = 1, faults: FaultSet = []) -> Machine {
    var machine = Machine(vcpus: vcpus, faults: faults)
    machine.plant([(Self.base, Machine.leaf([TreeNode.Mapping(firstGFN: 16, action: action.rawValue)], action: node))])
    return machine
  }

  @Test func aWriteThatNothingForbidsIsSilent() {
    var machine = machine(.deny)
    let events = machine.write(0x13004, [5, 6])
    #expect(events.map(\.kind) == [.writeTrap, .writeResult])
    #expect(events[0].data == [5, 6] && events[0].rip == 0x3000)
    #expect(events[1].cause == events[0].seq)
    #expect(events[1].a == WriteOutcome.applied.rawValue)
    #expect(events[1].data == [0, 0, 5, 6])
  }

  @Test func notifyLetsItThrough() {
    var machine = machine(.notify)
    let events = machine.write(Self.page + 4092)
    #expect(events.map(\.kind) == [.writeTrap, .alert, .writeResult])
    #expect(events[1].alertAction == .notify && events[1].alertOrigin == .mapping)
    #expect(events[1].cause == events[0].seq && events[1].gpa == Self.page + 4092)
    #expect(events[2].a == WriteOutcome.applied.rawValue)
    #expect(machine.host.readMemory(gpa: Self.page + 4092, count: 4) == [1, 2, 3, 4])
  }

  @Test func denyDropsIt() {
    var machine = machine(.deny)
    let events = machine.write(Self.page)
    #expect(events.map(\.kind) == [.writeTrap, .alert, .writeResult])
    #expect(events[1].alertAction == .deny)
    #expect(events[2].a == WriteOutcome.dropped.rawValue)
    #expect(events[2].data == [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(machine.core.sessionEnd == nil)
  }

  @Test(arguments: [(AlertAction.suspend, EndReason.suspendedByAlert), (.terminate, .terminatedByAlert)])
  func suspendAndTerminateEndTheSession(_ action: AlertAction, _ reason: EndReason) {
    var machine = machine(action, vcpus: 2)
    machine.host.kicks = 0
    let events = machine.write(Self.page)
    #expect(events.map(\.kind) == [.writeTrap, .alert, .writeResult])
    #expect(events[1].alertAction == action)
    #expect(events[2].a == WriteOutcome.dropped.rawValue)
    #expect(machine.core.sessionEnd == reason)
    #expect(machine.host.kicks == 2)
    #expect(machine.settle(1) == .finish)
  }

  @Test func aNodeOutranksAMappingOfItsPage() {
    var machine = Machine()
    machine.put(Machine.leaf([TreeNode.Mapping(firstGFN: 8, action: AlertAction.terminate.rawValue)], action: .notify), at: Self.base)
    machine.call(.protect, Self.base, 1, 1)
    machine.call(.setBase, Self.base)
    let events = machine.write(Self.base + 4000)
    #expect(events[1].alertAction == .notify && events[1].alertOrigin == .node)
  }

  @Test func integrityModeWritesNodesMappingsAndDriverData() {
    var machine = Machine()
    machine.call(.registerPages, 0x20000, 1, 1)
    machine.call(.registerPages, 0x21000, 1, 0)
    machine.plant([(Self.base, Machine.leaf([TreeNode.Mapping(firstGFN: 16, action: 1)]))])
    machine.enter()
    for gpa in [Self.base + 4000, Self.page, 0x20000] { #expect(machine.write(gpa).map(\.kind) == [.writeTrap, .writeResult]) }
    let code = machine.write(0x21000)
    #expect(code.map(\.kind) == [.writeTrap, .alert, .writeResult])
    #expect(code[1].alertOrigin == .driverPage && code[1].alertAction == .deny)
    machine.call(.leave)
    #expect(machine.write(0x20000)[1].alertOrigin == .driverPage)
    #expect(machine.write(Self.page)[1].alertOrigin == .mapping)
  }

  @Test func driverPagesAreClosedBeforeTheLockToo() {
    var machine = Machine()
    machine.call(.registerPages, 0x20000, 1, 1)
    machine.call(.registerPages, 0x21000, 1, 0)
    #expect(machine.write(0x20000).map(\.kind) == [.writeTrap, .alert, .writeResult])
    #expect(machine.write(0x21000).map(\.kind) == [.writeTrap, .alert, .writeResult])
  }

  @Test func thePrivilegedModeIsOutside() {
    var machine = machine(.deny)
    machine.enter()
    machine.call(.privileged, 0)
    #expect(machine.write(Self.page)[1].alertAction == .deny)
    machine.call(.privilegedLeave)
    #expect(machine.write(Self.page).map(\.kind) == [.writeTrap, .writeResult])
  }

  @Test(arguments: [(0x3fb as UInt64, 4, false), (0x3fc, 4, false), (0x3fd, 4, true), (0x400, 1, true), (0x4ff, 1, true), (0x500, 8, false)])
  func onlyTheBytesNamedAreProtected(_ offset: UInt64, _ length: Int, _ isDenied: Bool) {
    var machine = Machine()
    machine.plant([(Self.base, Machine.leaf([TreeNode.Mapping(firstGFN: 16, firstByte: 0x400, endByte: 0x500, action: 1)]))])
    let events = machine.write(Self.page + offset, Array(repeating: 7, count: length))
    #expect(events.contains { $0.kind == .alert } == isDenied)
  }

  @Test func theMostSevereOfSeveralActionsIsPerformed() {
    var machine = Machine()
    let mappings = [
      TreeNode.Mapping(firstGFN: 16, firstByte: 0, endByte: 8, action: AlertAction.deny.rawValue),
      TreeNode.Mapping(firstGFN: 16, firstByte: 8, endByte: 16, action: AlertAction.notify.rawValue),
    ]
    machine.put(Machine.leaf(mappings), at: Self.base)
    machine.call(.protect, Self.base, 1, 1)
    machine.call(.protect, Self.page, 1, 0)
    machine.call(.setBase, Self.base)
    #expect(machine.write(Self.page + 6)[1].alertAction == .deny)
    #expect(machine.write(Self.page + 8)[1].alertAction == .notify)
  }

  @Test func theRegionIsAnsweredWithAnAlertAndTheRestIsNot() {
    var machine = Machine()
    machine.core.handle(.unmappedAccess(gpa: Machine.region.start + 8, write: nil, length: 4, rip: 1), on: 0, host: &machine.host)
    machine.core.handle(.unmappedAccess(gpa: Machine.region.start, write: [1], length: 1, rip: 1), on: 0, host: &machine.host)
    machine.core.handle(.unmappedAccess(gpa: 1 << 40, write: [1], length: 1, rip: 1), on: 0, host: &machine.host)
    let events = machine.host.takeEvents()
    #expect(events.map(\.kind) == [.regionAccess, .alert, .regionAccess, .alert, .unmappedAccess])
    #expect(events[0].a == AccessKind.read.rawValue && events[2].a == AccessKind.write.rawValue)
    #expect(events[1].alertOrigin == .region && events[1].cause == events[0].seq)
  }

  @Test func aJumpIntoTheRegionIsAnsweredWithAnAlertAndTheEnd() {
    var machine = Machine()
    let gpa = Machine.region.start + 0x10
    machine.core.handle(.failed(.emulationFailure, detail: "", gpa: gpa, rip: gpa), on: 0, host: &machine.host)
    let events = machine.host.takeEvents()
    #expect(events.map(\.kind) == [.regionAccess, .alert])
    #expect(events[0].a == AccessKind.execute.rawValue && events[1].alertOrigin == .region)
    #expect(machine.core.sessionEnd == .emulationFailure)
    var elsewhere = Machine()
    elsewhere.core.handle(.failed(.emulationFailure, detail: "", gpa: 0x10, rip: gpa), on: 0, host: &elsewhere.host)
    #expect(elsewhere.host.takeEvents().isEmpty && elsewhere.core.sessionEnd == .emulationFailure)
  }

  // MARK: Faults

  @Test func aDroppedAlertLeavesTheWriteDropped() {
    var machine = machine(.deny, faults: FaultSet(.dropAlert))
    let events = machine.write(Self.page)
    #expect(events.map(\.kind) == [.writeTrap, .writeResult])
    #expect(events[1].a == WriteOutcome.dropped.rawValue)
    // Other alerts are raised.
    machine.call(.leave)
    #expect(machine.kinds() == [.hypercall, .refusal, .alert, .hypercallResult])
  }

  @Test func theOtherFaultsOfAlerts() {
    var wrong = machine(.deny, faults: FaultSet(.wrongAction))
    #expect(wrong.write(Self.page)[1].alertAction == .suspend)
    #expect(wrong.core.sessionEnd == nil)
    var lands = machine(.deny, faults: FaultSet(.denyLands))
    let result = lands.write(Self.page)[2]
    #expect(result.a == WriteOutcome.dropped.rawValue && result.data == [0, 0, 0, 0, 1, 2, 3, 4])
    var spurious = machine(.deny, faults: FaultSet(.spuriousAlert))
    #expect(spurious.write(0x13000).map(\.kind) == [.writeTrap, .alert, .writeResult])
    var late = machine(.deny, faults: FaultSet(.lateAlert))
    let cause = late.write(Self.page)[0].seq
    late.settle(0)
    late.call(.yield)
    let alert = late.host.takeEvents().last { $0.kind == .alert }
    #expect(alert?.cause == cause)
  }
}
