import Runner
import Testing
import TraceEvents
import TraceFormat

/// Several vCPUs at once, and what the host does to them.
@Suite(.serialized) struct MachineTests {
  /// A vCPU that never exits by itself is out of the guest whenever pages are traced or freed.
  @Test(.needsKVM) func tracingTakesEveryoneOut() throws {
    var code = GuestCode()
    code.emit(0xe9, 14, 0, 0, 0)  // jmp over the spinner
    let spinner = code.here
    code.emit([0x48, 0xff, 0x04], at: 0x40_0000)  // incq
    code.emit(0x90)
    code.jump(to: spinner)
    while code.here < GuestCode.base + 19 { code.emit(0x90) }
    for vcpu in 1..<4 as Range<UInt64> { code.hypercall(12, vcpu, spinner, 0) }
    code.load(.rbp, 1)
    code.loop(20) { code in
      code.hypercall(100, 0x30_0000, 1)
      code.store(.rbp, to: 0x30_0000)
      code.hypercall(101, 0x30_0000, 1)
      code.store(.rbp, to: 0x30_0000)
    }
    code.hypercall(15, 0)
    let recorded = try Recorded(code, vcpus: 4)
    #expect(recorded.summary.endReason == .guestFinished, "\(recorded.summary.detail)")
    #expect(recorded.of(.writeTrap).count == 20)
    for vcpu in 1..<4 as Range<UInt16> {
      let kicks = recorded.of(.guestExit).filter { $0.vcpu == vcpu && $0.a == GuestExitReason.kick.rawValue }
      #expect(!kicks.isEmpty)
    }
    expectWellFormed(recorded)
  }

  /// An interrupt reaches a vCPU that enables them, through its own IDT.
  @Test(.needsKVM) func interruptsAreDelivered() throws {
    var code = GuestCode()
    let flag: UInt64 = 0x40_0000
    code.emit(0xe9, 12, 0, 0, 0)  // jmp over the handler
    let handler = code.here
    code.emit([0x48, 0xff, 0x04], at: flag)  // incq
    code.emit(0x48, 0xcf)  // iretq
    while code.here < handler + 12 { code.emit(0x90) }
    code.load(.rbx, handler & 0xffff | 0x8 << 16 | 0x8e00 << 32 | (handler >> 16 & 0xffff) << 48)
    code.store(.rbx, to: 0x9000 + 0x40 * 16)
    code.load(.rbx, 0xfff | 0x9000 << 16)
    code.store(.rbx, to: 0xb000)
    code.emit([0x0f, 0x01, 0x1c], at: 0xb000)  // lidt
    code.hypercall(11, 0, 0x40)
    code.hypercall(16)
    code.emit(0xfb)  // sti
    code.wait(for: 1, at: flag) { $0.emit(0x90) }
    code.hypercall(11, 0, 0x40)
    code.wait(for: 2, at: flag) { $0.emit(0x90) }
    code.hypercall(15, 0)
    let recorded = try Recorded(code)
    #expect(recorded.summary.endReason == .guestFinished, "\(recorded.summary.detail)")
    #expect(ReplayedMemory(recorded).quadword(flag) == 2)
    expectWellFormed(recorded)
  }

  /// Eight vCPUs go through the privileged mode's handler and come back with every register as it was.
  @Test(.needsKVM) func eightVCPUsComeBackFromTheHandler() throws {
    var code = GuestCode()
    let done: UInt64 = 0x40_0000
    code.emit(0xe9, 0, 0, 0, 0)
    let jump = code.bytes.count
    let entry = code.here
    func work(_ code: inout GuestCode) {
      code.loop(40) { code in
        code.load(.r12, 0x1234_5678_9abc)
        code.hypercall(9)
      }
      code.emit([0xf0, 0x48, 0xff, 0x04], at: done)
    }
    work(&code)
    code.halt()
    code.bytes[jump - 4] = UInt8(truncatingIfNeeded: code.bytes.count - jump)
    code.bytes[jump - 3] = UInt8(truncatingIfNeeded: (code.bytes.count - jump) >> 8)
    for vcpu in 1..<8 as Range<UInt64> { code.hypercall(12, vcpu, entry, 0) }
    work(&code)
    code.wait(for: 8, at: done) { $0.hypercall(16) }
    code.hypercall(15, 0)
    let recorded = try Recorded(code, vcpus: 8)
    #expect(recorded.summary.endReason == .guestFinished, "\(recorded.summary.detail)")
    let starts = recorded.of(.guestEnter).count { $0.rip == 0x7000_0000 }
    // A vCPU that is taken out before its first instruction, to be harvested, goes in there again.
    let repeats = recorded.of(.guestExit).count { $0.rip == 0x7000_0000 && $0.a == GuestExitReason.kick.rawValue }
    #expect(starts - repeats == 8 * 40)
    expectWellFormed(recorded)
  }

  /// More writes in one exit than the ring holds: nothing is lost from memory's contents, and the hole is said.
  @Test(.needsKVM) func ringOverflowIsSaid() throws {
    var code = GuestCode()
    for round in 0..<4 as Range<UInt64> {
      code.load(.rdi, 0x40_0000)
      code.load(.rcx, 200_000)
      code.load(.rax, 0x11 * (round + 1))
      code.emit(0xf3, 0xaa)  // rep stosb
      code.load(.rbx, round + 1)
      code.store(.rbx, to: 0x30_0000 + round * 8)
      code.hypercall(16)
    }
    code.hypercall(15, 0)
    let recorded = try Recorded(code, ringEntries: 1024)
    #expect(recorded.summary.endReason == .guestFinished, "\(recorded.summary.detail)")
    let memory = ReplayedMemory(recorded)
    for at in stride(from: 0x40_0000, to: 0x40_0000 + 200_000, by: 8) as StrideTo<UInt64> where memory.quadword(at) != 0x4444_4444_4444_4444 {
      Issue.record("0x\(String(at, radix: 16)) holds \(memory.quadword(at))")
      break
    }
    #expect((0..<4).allSatisfy { memory.quadword(0x30_0000 + $0 * 8) == $0 + 1 })
    let lost = recorded.of(.eventsLost)
    #expect(lost.allSatisfy { $0.b == LossCause.dirtyRingOverflow.rawValue && !$0.data.isEmpty })
    if recorded.header.attribution == .everyWrite { #expect(!lost.isEmpty) } else { #expect(lost.isEmpty) }
    expectWellFormed(recorded)
  }
}
