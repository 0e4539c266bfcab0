import CKVM
import Glibc
import GuestImages
import Hypervisor
import Runner
import SavedMachines
import Synchronization
import Testing
import TraceEvents

/// PCs whose guest starts the other vCPUs itself, by interrupts that stay in KVM.
@Suite(.serialized) struct ProcessorStartTests {
  /// Where the others start, as a SIPI names it.
  private static let page: UInt64 = 0x8000

  private static func recorded(_ code: GuestCode, vcpus: Int, _ change: (inout PCOptions) -> Void = { _ in }) throws -> (Recorded, String) {
    let screen = Screen()
    var pc = PCOptions(console: screen.console())
    change(&pc)
    return (try Recorded(try code.image, pc: pc, vcpus: vcpus), screen.text)
  }

  @Test(.needsKVM) func theGuestStartsAnotherOne() throws {
    var code = GuestCode()
    // mov $0x3f8, %dx; mov $'A', %al; out %al, %dx; movb $1, 0x9000; cli; hlt
    code.place([0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xc6, 0x06, 0x00, 0x90, 0x01, 0xfa, 0xf4], at: Self.page)
    code.say("b")
    code.startOthers(at: Self.page)
    code.wait(for: 1, at: Self.page + 0x1000) { $0.emit(0x90) }
    code.say("c")
    code.emit(0xfa, 0xf4)
    let (recorded, text) = try Self.recorded(code, vcpus: 2)
    #expect(text == "bAc")
    #expect(recorded.summary.detail == "the guest halted for good")
    let start = try #require(recorded.of(.vcpuStart).first { $0.a == 1 })
    #expect(start.rip == Self.page)
    // Nothing is executed on it before.
    let first = try #require(recorded.events.first { $0.vcpu == 1 })
    #expect(first.kind == .vcpuOnline && first.seq > start.seq)
    #expect(recorded.of(.pageWrite).contains { $0.vcpu == 1 && $0.gpa == Self.page + 0x1000 })
    expectWellFormed(recorded)
  }

  /// A kernel compares the number in its tables with what the vCPU itself says, in whichever leaf it looks.
  @Test(.needsKVM) func eachIsToldItsNumber() throws {
    let device = unsafe open("/dev/kvm", O_RDWR | O_CLOEXEC)
    defer { close(device) }
    let table = try unsafe #require(ckvm_cpuid_new())
    defer { unsafe ckvm_cpuid_free(table) }
    #expect(unsafe ckvm_get_supported_cpuid(device, table) >= 0)
    for (index, leaf) in [0x1, 0xb, 0x1f, 0x8000_001e].enumerated() {
      let entry = try unsafe #require(ckvm_cpuid_entry(table, UInt32(index)))
      unsafe entry.pointee = kvm_cpuid_entry2()
      unsafe entry.pointee.function = UInt32(leaf)
      unsafe entry.pointee.ebx = 0x0704_0302
    }
    unsafe ckvm_cpuid_set_apic_id(table, 5)
    let told = (0..<4).map { unsafe ckvm_cpuid_entry(table, $0)!.pointee }
    #expect(told[0].ebx == 0x0504_0302)
    #expect(told[1].edx == 5 && told[2].edx == 5)
    #expect(told[3].eax == 5 && told[3].ebx == 5)
  }

  /// One that nobody starts keeps nothing from its end.
  @Test(.needsKVM, arguments: [2, 4]) func whoIsNeverStartedDoesNotRun(vcpus: Int) throws {
    var code = GuestCode()
    code.say("bye")
    code.emit(0xfa, 0xf4)
    let (recorded, _) = try Self.recorded(code, vcpus: vcpus)
    #expect(recorded.summary.detail == "the guest halted for good")
    #expect(recorded.events.allSatisfy { $0.vcpu == 0 || $0.vcpu == TraceEvents.Event.host })
    var reset = GuestCode()
    reset.reset()
    #expect(try Self.recorded(reset, vcpus: vcpus).0.summary.detail == "the guest reset the machine")
  }

  /// The first one is at rest when the second goes on to end the machine.
  @Test(.needsKVM) func whoWasStartedOutlivesTheFirst() throws {
    var code = GuestCode()
    // mov $0xffff, %cx; loop to itself, twice; mov $0xfe, %al; out %al, $0x64
    code.place([0xb9, 0xff, 0xff, 0xe2, 0xfe, 0xb9, 0xff, 0xff, 0xe2, 0xfe, 0xb0, 0xfe, 0xe6, 0x64, 0xf4], at: Self.page)
    code.startOthers(at: Self.page)
    code.emit(0xfa, 0xf4)
    #expect(try Self.recorded(code, vcpus: 2).0.summary.detail == "the guest reset the machine")
  }

  @Test(.needsKVM) func whatTheHostProtectsIsProtectedFromAll() throws {
    let shared: UInt64 = 0x3_0000
    var code = GuestCode()
    // mov $0x3000, %ax; mov %ax, %ds; incb 0x10; jmp to it
    code.place([0xb8, 0x00, 0x30, 0x8e, 0xd8, 0xfe, 0x06, 0x10, 0x00, 0xeb, 0xfa], at: Self.page)
    code.startOthers(at: Self.page)
    code.emit([0x80, 0x3c], at: shared + 0x10)  // cmpb $0; je to it
    code.emit(0x00, 0x74, 0xf6)
    code.say("go")
    code.load(.rbx, 5)
    code.loop(50) { $0.store(.rbx, to: shared) }
    code.fetch(.rax, from: shared + 0x10)
    code.emit([0x38, 0x04], at: shared + 0x10)  // cmp %al, 0x30010; je to it
    code.emit(0x74, 0xf7)
    code.reset()
    let (recorded, _) = try Self.recorded(code, vcpus: 2) { pc in
      let plan = try? ProtectionPlan(protecting: [GuestRange(start: shared, length: 0x20)], treeAt: 0x4_0000)
      pc.protection = plan.map { ProtectionRequest($0, from: .console("go")) }
    }
    #expect(recorded.summary.detail == "the guest reset the machine")
    let traps = recorded.of(.writeTrap)
    #expect(traps.filter { $0.vcpu == 0 }.count == 50)
    #expect(traps.contains { $0.vcpu == 1 && $0.gpa == shared + 0x10 })
    // What was written before is told by pages, and nothing of it after.
    let installed = try #require(recorded.of(.traceInstall).first)
    #expect(recorded.of(.pageWrite).allSatisfy { $0.gpa >> 12 != shared >> 12 || $0.seq < installed.seq })
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func aSnapshotHoldsWhoRunsAndWhoDoesNot() throws {
    var code = GuestCode()
    // cli; hlt. vCPU 1 has started before it, 2 starts after it, 3 never.
    code.place([0xfa, 0xf4], at: Self.page)
    code.startOthers(at: Self.page, only: 1)
    code.say("s")
    code.startOthers(at: Self.page, only: 2)
    code.emit(0xfa, 0xf4)
    let taken = Mutex<SavedMachine?>(nil)
    _ = try Self.recorded(code, vcpus: 4) { $0.snapshot = SnapshotRequest(at: .console("s")) { state in taken.withLock { $0 = state } } }
    let state = try #require(taken.withLock { $0 })
    var pc = PCOptions(console: Screen().console())
    pc.start = state
    let again = try Recorded(GuestImage(state), pc: pc, vcpus: 4)
    #expect(again.summary.detail == "the guest halted for good")
    let started = again.of(.vcpuStart)
    #expect(Set(started.map(\.a)) == [0, 1, 2])
    #expect(started.first { $0.a == 2 }?.rip == Self.page)
    expectWellFormed(again)
  }
}

extension GuestCode {
  /// Stores code elsewhere, in quadwords.
  fileprivate mutating func place(_ code: [UInt8], at address: UInt64) {
    for at in stride(from: 0, to: code.count, by: 8) {
      let word = code[at..<min(at + 8, code.count)].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      load(.rax, word)
      store(.rax, to: address + UInt64(at))
    }
  }

  /// movl $value, address, wherever it is
  private mutating func set(_ address: UInt64, _ value: UInt32) {
    load(.rdi, address)
    load(.rax, UInt64(value))
    emit(0x89, 0x07)
  }

  /// INIT and SIPI by the local APIC's interrupt command register (Intel SDM volume 3, 11.6.1): for all others, or one.
  fileprivate mutating func startOthers(at page: UInt64, only one: UInt32? = nil) {
    let command: UInt64 = 0xfee0_0300
    set(0xfee0_00f0, 0x1ff)
    if let one { set(command + 0x10, one << 24) }
    let shorthand: UInt32 = one == nil ? 3 << 18 : 0
    set(command, shorthand | 0x4500)
    // As the manual has it, a while after the INIT.
    loop(2000) { _ in }
    set(command, shorthand | 0x4600 | UInt32(page >> 12))
  }
}
