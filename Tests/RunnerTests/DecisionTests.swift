import Hypervisor
import KVM
import Runner
import Testing
import TraceEvents

/// What exits ask for, and what stands between: all without a guest.
struct DecisionTests {
  private func decide(_ exit: VMExit, _ registers: Registers = Registers(), privilege: UInt8 = 0) -> ExitDecision {
    exit.decision(registers: registers, privilege: privilege) { $0 < 0x100_0000 }
  }

  @Test func hypercallsAreFourBytesToTheOnePort() {
    var registers = Registers()
    registers.rax = 7
    (registers.rdi, registers.rsi, registers.r9, registers.rcx, registers.r8) = (1, 2, 3, 4, 5)
    registers.rip = 0x1234
    registers.rflags = 0x202
    let call = VMExit.portOut(port: 0x5054, size: 4, count: 1, value: 7)
    #expect(decide(call, registers) == .input(.hypercall(number: 7, arguments: [1, 2, 3, 4, 5], rip: 0x1234, interruptsEnabled: true)))
    #expect(decide(.portOut(port: 0x5054, size: 1, count: 1, value: 7), registers) == .proceed)
    #expect(decide(.portOut(port: 0x5055, size: 4, count: 1, value: 7), registers) == .proceed)
    #expect(decide(.portOut(port: 0x5054, size: 4, count: 2, value: 7), registers) == .proceed)
    #expect(call.completion == .finish)
    #expect(VMExit.portIn(port: 1, size: 1, count: 1).completion == .answer(.max))
  }

  @Test func storesAreTrapsInRAMAndUnmappedElsewhere() {
    var registers = Registers()
    registers.rip = 0x99
    #expect(
      decide(.mmioWrite(gpa: 0x1000, value: 0x0403_0201, length: 3), registers, privilege: 3)
        == .input(.trappedWrite(gpa: 0x1000, bytes: [1, 2, 3], rip: 0x99, flags: 3)))
    #expect(
      decide(.mmioWrite(gpa: 0x7000_0000, value: 9, length: 1), registers)
        == .input(.unmappedAccess(gpa: 0x7000_0000, write: [9], length: 1, rip: 0x99)))
    #expect(decide(.mmioRead(gpa: 0x7000_0000, length: 8), registers) == .input(.unmappedAccess(gpa: 0x7000_0000, write: nil, length: 8, rip: 0x99)))
    #expect(VMExit.mmioWrite(gpa: 0, value: 0, length: 8).completion == .later)
  }

  @Test func whatTheGuestCannotGoOnFromEndsTheSession() {
    guard case .end(.emulationFailure, let detail) = decide(.emulationFailure(instruction: [0x0f, 0xa2])) else { Issue.record(); return }
    #expect(detail.contains("0f a2"))
    guard case .end(.tripleFault, _) = decide(.shutdown) else { Issue.record(); return }
    guard case .end(.internalError, let undelivered) = decide(.internalError(suberror: 3)) else { Issue.record(); return }
    #expect(undelivered.hasPrefix("KVM could not deliver an interrupt or an exception (internal error 3) at rip 0x"))
    guard case .end(.internalError, _) = decide(.other(reason: 77)) else { Issue.record(); return }
    #expect(decide(.interrupted) == .input(.kicked))
    #expect(decide(.dirtyRingFull) == .proceed)
  }

  @Test func appliedWritesConflict() {
    var writes = AppliedWrites()
    writes.note(gpa: 0x1000, length: 8, vcpu: 0)
    let mark = writes.count
    #expect(!writes.conflicts(gpa: 0x1000, length: 8, vcpu: 1, since: mark))
    writes.note(gpa: 0x1004, length: 4, vcpu: 1)
    #expect(!writes.conflicts(gpa: 0x1000, length: 4, vcpu: 1, since: mark))
    #expect(writes.conflicts(gpa: 0x1000, length: 4, vcpu: 0, since: mark))
    #expect(!writes.conflicts(gpa: 0x1008, length: 8, vcpu: 0, since: mark))
    #expect(writes.conflicts(gpa: 0xfff, length: 2, vcpu: 0, since: mark))
    for _ in 0..<2000 { writes.note(gpa: 0x9000, length: 8, vcpu: 1) }
    #expect(writes.conflicts(gpa: 0x5000, length: 8, vcpu: 1, since: mark), "what is not known any more counts as a conflict")
    #expect(!writes.conflicts(gpa: 0x1000, length: 8, vcpu: 0, since: writes.count - 1000))
  }

  @Test func diffsHoldEveryChangedByteAndNoOther() {
    var buffer = DiffBuffer()
    var guest = Array(repeating: UInt8(0), count: 4096)
    var shadow = guest
    func compare() -> [PageDiff.Run]? {
      unsafe guest.withUnsafeBytes { guest in
        unsafe shadow.withUnsafeMutableBytes { shadow in
          _ = unsafe buffer.compare(guest: guest.baseAddress!, shadow: shadow.baseAddress!)
        }
      }
      return unsafe PageDiff(Array(buffer.bytes))?.runs
    }
    #expect(compare() == [])
    for at in [0, 6, 7, 8, 9, 17, 4095] { guest[at] = 1 }
    #expect(compare()?.map { $0.offset..<$0.offset + $0.bytes.count } == [0..<1, 6..<10, 17..<18, 4095..<4096])
    #expect(shadow == guest)
    #expect(compare() == [])
    for at in stride(from: 0, to: 4096, by: 2) { guest[at] ^= 0xff }
    #expect(compare()?.count == 2048)
    for at in guest.indices { guest[at] ^= 0x55 }
    #expect(compare() == [PageDiff.Run(offset: 0, bytes: guest)])
  }
}
