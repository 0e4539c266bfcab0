import Runner
import Testing
import TraceEvents
import TraceFormat

/// Guest code at privilege level 3, which an emulating host too may execute natively.
@Suite(.serialized) struct UserModeTests {
  /// Above RAM.
  private static let nothing: UInt64 = 0x200_0000

  /// Makes the 2 MiB pages that the tests use accessible from level 3 and goes there.
  private static func enterUserMode(_ code: inout GuestCode) {
    for table in [0x1000, 0x2000, 0x3000, 0x3008, 0x3010, 0x3080] as [UInt64] {
      code.emit([0x48, 0x83, 0x0c], at: table)  // orq $4
      code.emit(4)
    }
    code.emit(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8)  // mov %cr3, %rax; mov %rax, %cr3
    let descriptors: [UInt64] = [0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff]
    for (index, descriptor) in descriptors.enumerated() {
      code.load(.rax, descriptor)
      code.store(.rax, to: 0x9000 + UInt64(index) * 8)
    }
    code.load(.rax, 0x9000 << 16 | 39)
    code.store(.rax, to: 0xb000)
    code.emit([0x0f, 0x01, 0x14], at: 0xb000)  // lgdt
    // SS, RSP, RFLAGS with IOPL 3, CS, RIP
    for value in [0x1b, 0x50_0000, 0x3002, 0x23] as [UInt64] {
      code.load(.rax, value)
      code.emit(0x50)
    }
    code.load(.rax, code.here + 10 + 1 + 2)
    code.emit(0x50, 0x48, 0xcf)  // push %rax; iretq
  }

  @Test(.needsKVM) func storesFromUserModeAreSeen() throws {
    var code = GuestCode()
    code.hypercall(100, 0x31_0000, 1)
    Self.enterUserMode(&code)
    code.load(.rbx, 0x41)
    code.store(.rbx, to: 0x30_0000)
    code.store(.rbx, to: 0x30_0008)
    code.store(.rbx, to: 0x31_0000)
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
    #expect(trap.map(\.data) == [littleEndian(0x41)])
    expectWellFormed(recorded)
  }
}
