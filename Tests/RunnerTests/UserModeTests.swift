import Runner
import Testing
import TraceEvents
import TraceFormat

extension GuestCode {
  /// Makes the 2 MiB pages that the tests use accessible from level 3.
  mutating func openToUserMode() {
    for table in [0x1000, 0x2000, 0x3000, 0x3008, 0x3010, 0x3080] as [UInt64] {
      emit([0x48, 0x83, 0x0c], at: table)  // orq $4
      emit(4)
    }
    emit(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8)  // mov %cr3, %rax; mov %rax, %cr3
  }

  /// Loads a table at 0xa000 with descriptors for both levels (data 0x10 and 0x1b, code 0x08 and 0x23), and of a task's segment at 0xd000 (0x28).
  mutating func loadDescriptors() {
    let descriptors: [UInt64] = [
      0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff, 0x0000_8900_d000_0067, 0,
    ]
    for (index, descriptor) in descriptors.enumerated() {
      load(.rax, descriptor)
      store(.rax, to: 0xa000 + UInt64(index) * 8)
    }
    load(.rax, 0xa000 << 16 | 55)
    store(.rax, to: 0xb000)
    emit([0x0f, 0x01, 0x14], at: 0xb000)  // lgdt
  }

  /// Goes on at level 3, with interrupts as `flags` say.
  mutating func enterUserMode(flags: UInt64 = 0x3002) {
    // SS, RSP, RFLAGS with IOPL 3, CS, RIP
    for value in [0x1b, 0x50_0000, flags, 0x23] as [UInt64] {
      load(.rax, value)
      emit(0x50)
    }
    load(.rax, here + 10 + 1 + 2)
    emit(0x50, 0x48, 0xcf)  // push %rax; iretq
  }
}

/// Guest code at privilege level 3, which an emulating host too may execute natively.
@Suite(.serialized) struct UserModeTests {
  /// Above RAM.
  private static let nothing: UInt64 = 0x200_0000

  @Test(.needsKVM) func storesFromUserModeAreSeen() throws {
    var code = GuestCode()
    code.hypercall(100, 0x31_0000, 1)
    code.openToUserMode()
    code.loadDescriptors()
    code.enterUserMode()
    code.load(.rbx, 0x41)
    code.store(.rbx, to: 0x30_0000)
    code.store(.rbx, to: 0x30_0008)
    code.store(.rbx, to: 0x31_0000)
    let afterStore = code.here
    // An exit that level 3 can cause on every host (its ports are not among them): a read of what nothing backs.
    code.fetch(.rcx, from: Self.nothing)
    // The page is written again after the harvest: it must be seen again.
    code.load(.rbx, 0x42)
    code.store(.rbx, to: 0x30_0000)
    code.emit(0x0f, 0x0b)  // ud2, with no IDT
    let recorded = try Recorded(code)
    #expect(recorded.summary.endReason == .tripleFault, "\(recorded.summary.detail)")
    #expect(recorded.of(.unmappedAccess).map(\.gpa) == [Self.nothing])
    let writes = recorded.of(.pageWrite).filter { $0.gpa == 0x30_0000 }
    #expect(writes.compactMap { PageDiff($0.data)?.runs } == [
      [PageDiff.Run(offset: 0, bytes: [0x41]), PageDiff.Run(offset: 8, bytes: [0x41])],
      [PageDiff.Run(offset: 0, bytes: [0x42])],
    ])
    // Where level 3 runs natively, one entry stands for both stores: the reason to reset rings after every harvest on every host.
    #expect((1...2).contains(writes.first?.a ?? 0))
    let trap = recorded.of(.writeTrap)
    #expect(trap.map(\.gpa) == [0x31_0000])
    #expect(trap.map { $0.a & 3 } == [3])
    #expect(trap.map(\.rip) == [afterStore])
    #expect(trap.map(\.data) == [littleEndian(0x41)])
    expectWellFormed(recorded)
  }
}
