import GuestImages
import Hypervisor
import KVM
import Runner
import SavedMachines
import Synchronization
import Testing
import TraceEvents
import TreeFormat

/// What a recording does at a moment of the guest's: protect memory, take a snapshot.
@Suite(.serialized) struct MomentTests {
  private static let page: UInt64 = 0x20_0000
  private static let tree: UInt64 = 0x4_0000

  /// Stores 1, says "one", stores 2, says "two", shows what is there as a digit, and resets.
  private static func twoStores() -> (code: GuestCode, second: UInt64) {
    var code = GuestCode()
    code.load(.rbx, 0x31)
    code.store(.rbx, to: page)
    code.say("one")
    code.load(.rbx, 0x32)
    let second = code.here
    code.store(.rbx, to: page)
    code.say("two")
    code.fetch(.rax, from: page)
    code.load(.rdx, 0x3f8)
    code.emit(0xee)
    code.reset()
    return (code, second)
  }

  private static func record(
    _ code: GuestCode, _ action: AlertAction = .notify, of range: GuestRange = GuestRange(start: page, length: 8), from moment: Moment,
    _ change: (inout PCOptions) -> Void = { _ in }
  ) throws -> (Recorded, String) {
    let screen = Screen()
    var pc = PCOptions(console: screen.console())
    pc.protection = ProtectionRequest(try ProtectionPlan(protecting: [range], action: action, treeAt: tree), from: moment)
    change(&pc)
    return (try Recorded(try code.image, pc: pc), screen.text)
  }

  @Test(.needsKVM) func memoryIsProtectedFromTheStart() throws {
    let (recorded, text) = try Self.record(Self.twoStores().code, from: .start)
    #expect(text == "onetwo2")
    #expect(recorded.of(.writeTrap).map(\.data) == [[0x31, 0, 0, 0, 0, 0, 0, 0], [0x32, 0, 0, 0, 0, 0, 0, 0]])
    #expect(recorded.of(.alert).map(\.b) == [AlertOrigin.mapping.rawValue, AlertOrigin.mapping.rawValue])
    let base = try #require(recorded.of(.basePointerSet).first)
    #expect(base.gpa == Self.tree && base.vcpu == TraceEvents.Event.host)
    let start = try #require(recorded.of(.guestEnter).first)
    #expect(base.seq < start.seq)
    #expect(recorded.summary.missed.isEmpty)
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func memoryIsProtectedFromAText() throws {
    let (recorded, text) = try Self.record(Self.twoStores().code, from: .console("one"))
    #expect(text == "onetwo2")
    #expect(recorded.of(.writeTrap).map { $0.data[0] } == [0x32])
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func memoryIsProtectedFromAnInstruction() throws {
    let (code, second) = Self.twoStores()
    let (recorded, text) = try Self.record(code, .deny, from: .address(second))
    #expect(text == "onetwo1")
    #expect(recorded.of(.writeTrap).map { $0.data[0] } == [0x32])
    #expect(recorded.summary.missed.isEmpty)
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func theTreeIsProtectedToo() throws {
    var code = GuestCode()
    code.load(.rbx, 0x31)
    code.store(.rbx, to: Self.tree + 64)
    code.reset()
    let (recorded, _) = try Self.record(code, from: .start)
    #expect(recorded.of(.alert).map(\.a) == [UInt64(AlertAction.deny.rawValue)])
    #expect(recorded.of(.alert).map(\.b) == [AlertOrigin.node.rawValue])
    #expect(recorded.of(.writeResult).map(\.a) == [WriteOutcome.dropped.rawValue])
  }

  @Test(.needsKVM, arguments: [(AlertAction.suspend, EndReason.suspendedByAlert), (.terminate, .terminatedByAlert)])
  func aWriteCanEndTheRecording(action: AlertAction, end: EndReason) throws {
    let (recorded, text) = try Self.record(Self.twoStores().code, action, from: .console("one"))
    #expect(text == "one")
    #expect(recorded.summary.endReason == end)
    #expect(recorded.isComplete)
  }

  @Test(.needsKVM) func aMomentThatNeverComesIsTold() throws {
    let (recorded, _) = try Self.record(Self.twoStores().code, from: .console("three")) {
      $0.snapshot = SnapshotRequest(at: .address(Self.page)) { _ in Issue.record("no snapshot is due") }
    }
    #expect(recorded.summary.missed == [.protection, .snapshot])
    #expect(recorded.of(.writeTrap).isEmpty)
  }

  /// At one moment the snapshot comes first: what goes on from it is not protected unless it is asked for.
  @Test(.needsKVM) func aSnapshotIsTakenBeforeAnInstruction() throws {
    let (code, second) = Self.twoStores()
    let taken = Mutex<[SavedMachine]>([])
    let (recorded, _) = try Self.record(code, from: .address(second)) {
      $0.snapshot = SnapshotRequest(at: .address(second)) { state in taken.withLock { $0.append(state) } }
    }
    #expect(recorded.of(.writeTrap).count == 1)
    let states = taken.withLock { $0 }
    #expect(states.count == 1)
    let state = try #require(states.first)
    let screen = Screen()
    var pc = PCOptions(console: screen.console())
    pc.start = state
    let again = try Recorded(GuestImage(state), pc: pc)
    #expect(screen.text == "two2")
    #expect(again.of(.guestEnter).first?.rip == second)
    #expect(again.of(.basePointerSet).isEmpty)
    pc = PCOptions(console: Screen().console())
    pc.start = state
    pc.protection = ProtectionRequest(try ProtectionPlan(protecting: [GuestRange(start: Self.page, length: 8)], treeAt: Self.tree), from: .start)
    let protected = try Recorded(GuestImage(state), pc: pc)
    #expect(protected.of(.writeTrap).map { $0.data[0] } == [0x32])
  }

  @Test(.needsKVM) func memoryThatIsNotThereIsRefused() throws {
    for range in [GuestRange(start: 16 << 20, length: 8), GuestRange(start: (16 << 20) - 4, length: 8)] {
      #expect(throws: RecordingError.self) { try Self.record(Self.twoStores().code, of: range, from: .start) }
    }
  }
}
