import Runner
import Testing
import TraceEvents

/// Writes to traced pages: every one, with its bytes and its place.
@Suite(.serialized) struct TrapTests {
  private static let page: UInt64 = 0x30_0000

  @Test(.needsKVM) func everyStoreIsExact() throws {
    var code = GuestCode()
    code.load(.rbx, 0x1122_3344_5566_7788)
    code.store(.rbx, to: 0x20_0000)
    code.store(.rbx, to: 0x20_0008)
    code.emit([0x0f, 0x10, 0x04], at: 0x20_0000)  // movups 0x200000, %xmm0
    code.hypercall(100, Self.page, 1)
    var expected: [(gpa: UInt64, bytes: [UInt8], rip: UInt64)] = []
    let quad: [UInt8] = [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]
    code.store(.rbx, to: Self.page)
    expected.append((Self.page, quad, code.here))
    code.emit([0xc6, 0x04], at: Self.page + 9)  // movb $0x5a
    code.emit(0x5a)
    expected.append((Self.page + 9, [0x5a], code.here))
    code.emit([0x0f, 0x11, 0x04], at: Self.page + 0x20)  // movups %xmm0
    expected.append((Self.page + 0x20, quad, code.here))
    expected.append((Self.page + 0x28, quad, code.here))
    code.load(.rsp, Self.page + 0x800)
    code.emit(0x53)  // push %rbx
    expected.append((Self.page + 0x7f8, quad, code.here))
    code.emit(0xe8, 0, 0, 0, 0)  // call the next instruction
    expected.append((Self.page + 0x7f0, littleEndian(code.here), code.here))
    code.emit([0x48, 0x87, 0x1c], at: Self.page + 0x10)  // xchg %rbx
    expected.append((Self.page + 0x10, quad, code.here))
    code.hypercall(15, 0)
    let recorded = try Recorded(code)
    let traps = recorded.of(.writeTrap)
    #expect(traps.map(\.gpa) == expected.map(\.gpa))
    #expect(traps.map(\.data) == expected.map(\.bytes))
    #expect(traps.map(\.rip) == expected.map(\.rip))
    #expect(recorded.of(.writeResult).map { Array($0.data.suffix($0.data.count / 2)) } == expected.map(\.bytes))
    #expect(recorded.of(.pageWrite).allSatisfy { $0.gpa != Self.page })
    expectWellFormed(recorded)
  }

  /// A store across the border between a traced and an untraced page: the traced half traps, the other half is a page write.
  @Test(.needsKVM) func storeAcrossTheBorder() throws {
    var code = GuestCode()
    code.hypercall(100, Self.page, 1)
    code.load(.rbx, 0x1122_3344_5566_7788)
    code.store(.rbx, to: Self.page - 3)
    code.store(.rbx, to: Self.page + 4096 - 3)
    code.hypercall(15, 0)
    let recorded = try Recorded(code)
    #expect(recorded.of(.writeTrap).map(\.gpa) == [Self.page, Self.page + 4093])
    #expect(recorded.of(.writeTrap).map(\.data.count) == [5, 3])
    let memory = ReplayedMemory(recorded)
    #expect(memory.quadword(Self.page - 3) & 0xff_ffff == 0x66_7788)
    #expect(memory.quadword(Self.page) & 0xff_ffff_ffff == 0x11_2233_4455)
    #expect(memory.quadword(Self.page + 4093) & 0xff_ffff == 0x66_7788)
    #expect(memory.quadword(Self.page + 4096) & 0xff_ffff_ffff == 0x11_2233_4455)
  }

  @Test(.needsKVM) func untracedPageIsWrittenFreelyAgain() throws {
    var code = GuestCode()
    code.load(.rbx, 7)
    code.hypercall(100, Self.page, 4)
    code.hypercall(101, Self.page + 4096, 1)
    for page in 0..<4 as Range<UInt64> { code.store(.rbx, to: Self.page + page * 4096) }
    code.hypercall(15, 0)
    let recorded = try Recorded(code)
    #expect(recorded.of(.writeTrap).map(\.gpa) == [Self.page, Self.page + 0x2000, Self.page + 0x3000])
    #expect(recorded.of(.pageWrite).map(\.gpa).contains(Self.page + 0x1000))
  }

  /// Locked instructions of four vCPUs on one traced page lose nothing.
  @Test(.needsKVM) func lockedInstructionsStayAtomic() throws {
    let rounds: UInt64 = 700
    let done: UInt64 = 0x40_0000
    func work(_ code: inout GuestCode) {
      code.loop(rounds) { code in
        code.load(.rax, 3)
        code.emit([0xf0, 0x48, 0x0f, 0xc1, 0x04], at: Self.page)  // lock xadd %rax
        code.emit([0xf0, 0x48, 0xff, 0x04], at: Self.page + 8)  // lock incq
        code.fetch(.rax, from: Self.page + 16)
        code.emit(0x48, 0x89, 0xc1)  // retry: mov %rax, %rcx
        code.emit(0x48, 0xff, 0xc1)  // inc %rcx
        code.emit([0xf0, 0x48, 0x0f, 0xb1, 0x0c], at: Self.page + 16)  // lock cmpxchg %rcx
        code.emit(0x75, UInt8(bitPattern: -18))  // jne retry
      }
      code.emit([0xf0, 0x48, 0xff, 0x04], at: done)
    }
    var code = GuestCode()
    code.hypercall(100, Self.page, 1)
    code.emit(0xe9, 0, 0, 0, 0)  // jmp over the workers' code
    let jump = code.bytes.count
    let entry = code.here
    work(&code)
    code.halt()
    code.bytes[jump - 4] = UInt8(truncatingIfNeeded: code.bytes.count - jump)
    code.bytes[jump - 3] = UInt8(truncatingIfNeeded: (code.bytes.count - jump) >> 8)
    for vcpu in 1..<4 as Range<UInt64> { code.hypercall(12, vcpu, entry, 0) }
    work(&code)
    code.wait(for: 4, at: done) { $0.hypercall(16) }
    code.hypercall(15, 0)
    let recorded = try Recorded(code, vcpus: 4)
    #expect(recorded.summary.endReason == .guestFinished, "\(recorded.summary.detail)")
    let memory = ReplayedMemory(recorded)
    #expect(memory.quadword(Self.page) == 4 * rounds * 3)
    #expect(memory.quadword(Self.page + 8) == 4 * rounds)
    #expect(memory.quadword(Self.page + 16) == 4 * rounds)
    let flags = recorded.of(.writeTrap).map { WriteFlags(rawValue: $0.a) }
    #expect(flags.allSatisfy { !$0.contains(.atomicityUnknown) })
    // It must have struck for this to test anything.
    #expect(flags.contains { $0.contains(.recomputed) })
    expectWellFormed(recorded)
  }
}

func littleEndian(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }
