import GuestImages
import Hypervisor
import Runner
import Testing
import TraceEvents

extension GuestCode {
  /// Has the timer interrupt at vector 0x20, and nothing else interrupt.
  fileprivate mutating func startTimer() {
    for (port, value) in [(0x20, 0x11), (0x21, 0x20), (0x21, 0x04), (0x21, 0x01), (0x21, 0xfe)] as [(UInt16, UInt8)] { out(value, to: port) }
    for (port, value) in [(0x43, 0x34), (0x40, 0), (0x40, 0)] as [(UInt16, UInt8)] { out(value, to: port) }
  }

  /// Loads a task's segment: its stack for level 0, and its first interrupt stack.
  fileprivate mutating func loadTask(ring0: UInt64 = 0xe000, interruptStack: UInt64 = 0xf000) {
    loadDescriptors()
    load(.rax, ring0)
    store(.rax, to: 0xd004)
    load(.rax, interruptStack)
    store(.rax, to: 0xd024)
    load(.rax, 0x28)
    emit(0x0f, 0x00, 0xd8)  // ltr %ax
  }

  /// Has the gate of a vector in the table of `handle` lead to the first interrupt stack.
  fileprivate mutating func useInterruptStack(_ vector: UInt64) {
    emit([0xc6, 0x04], at: 0x9000 + vector * 16 + 4)  // movb $1
    emit(1)
  }

  /// Says the digit that some bits of a quadword are.
  fileprivate mutating func sayBits(_ count: UInt8, from first: UInt8, of address: UInt64) {
    fetch(.rax, from: address)
    emit(0x48, 0xc1, 0xe8, first, 0x24, (1 << count) - 1, 0x04, 0x30)  // shr, and, add $'0'
    load(.rdx, 0x3f8)
    emit(0xee)
  }

  /// jmp to itself
  fileprivate mutating func spin() { emit(0xeb, 0xfe) }
}

/// Protected pages that the CPU itself writes to: done where it can be, and where not the recording ends before the guest breaks.
@Suite(.serialized) struct CPUWriteTests {
  private static let page: UInt64 = 0x20_0000
  /// The pages below and above it.
  private static let around = [page - 0x1000, page + 0x1000]
  private static let tree: UInt64 = 0x4_0000
  private static let reason = ": the CPU pushes the frames of interrupts and exceptions there by itself, which cannot be done where writes trap"

  /// Protects pages from when the guest says "go".
  private static func record(
    _ code: GuestCode, protecting pages: [UInt64] = [page], _ action: AlertAction = .notify
  ) throws -> (Recorded, String) {
    let screen = Screen()
    var pc = PCOptions(console: screen.console())
    let ranges = pages.map { GuestRange(start: $0, length: 4096) }
    pc.protection = ProtectionRequest(try ProtectionPlan(protecting: ranges, action: action, treeAt: tree), from: .console("go"))
    return (try Recorded(try code.image, pc: pc), screen.text)
  }

  private static func expectStackEnd(_ recorded: Recorded, _ detail: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(recorded.summary.endReason == .emulationFailure, sourceLocation: sourceLocation)
    #expect(recorded.summary.detail == detail + reason, sourceLocation: sourceLocation)
    #expect(recorded.isComplete, sourceLocation: sourceLocation)
    expectWellFormed(recorded, sourceLocation: sourceLocation)
  }

  // MARK: Stacks

  @Test(.needsKVM) func aStackInUseIsNotProtected() throws {
    var code = GuestCode()
    code.load(.rsp, Self.page + 0x800)
    code.say("go")
    code.say("on")
    code.reset()
    let (recorded, text) = try Self.record(code)
    #expect(text == "go")
    Self.expectStackEnd(recorded, "memory cannot be protected: vCPU 0's stack is at 0x200800, on the protected page 0x200000 of 0x200000+0x1000")
    #expect(recorded.of(.basePointerSet).isEmpty)
  }

  @Test(.needsKVM, arguments: [AlertAction.notify, .deny]) func aPushOnAProtectedPageIsTheLastWrite(action: AlertAction) throws {
    var code = GuestCode()
    code.say("go")
    code.load(.rsp, Self.page + 0x800)
    code.emit(0x53, 0x53)  // push %rbx; push %rbx
    code.say("on")
    code.reset()
    let (recorded, text) = try Self.record(code, action)
    #expect(text == "go")
    // It may have been kicked before the push.
    let rsp = recorded.of(.writeTrap).isEmpty ? "0x200800" : "0x2007f8"
    Self.expectStackEnd(recorded, "vCPU 0's stack is at \(rsp), on the protected page 0x200000 of 0x200000+0x1000")
    #expect(recorded.of(.writeResult).count == recorded.of(.writeTrap).count && recorded.of(.writeTrap).count <= 1)
  }

  /// The stack is on the page for some instructions only, with the timer's interrupts on: none of its ticks may reach the guest as something else.
  @Test(.needsKVM, arguments: [false, true]) func aTimerFindsNoProtectedStack(hasTask: Bool) throws {
    var code = GuestCode()
    code.handle(0x20, saying: "t", endsInterrupt: true)
    code.handle(8, saying: "D")
    if hasTask {
      code.loadTask()
      code.useInterruptStack(8)
    }
    code.startTimer()
    code.say("go")
    code.load(.rsp, Self.page + 0x800)
    code.emit(0xfb)  // sti
    code.spin()
    let (recorded, text) = try Self.record(code)
    #expect(text == "go")
    Self.expectStackEnd(recorded, "vCPU 0's stack is at 0x200800, on the protected page 0x200000 of 0x200000+0x1000")
  }

  /// int3 is finished outside on some hosts; ud2 and page faults are KVM's, with and without an error code.
  @Test(.needsKVM, arguments: [(3, [0xcc]), (6, [0x0f, 0x0b]), (14, [0x48, 0x8b, 0x00])] as [(vector: UInt64, code: [UInt8])], [false, true])
  func anExceptionFindsNoProtectedStack(exception: (vector: UInt64, code: [UInt8]), hasTask: Bool) throws {
    var code = GuestCode()
    code.handle(exception.vector, saying: "x")
    code.handle(8, saying: "D")
    if hasTask {
      code.loadTask()
      code.useInterruptStack(8)
    }
    code.say("go")
    code.load(.rax, 1 << 32)
    code.load(.rsp, Self.page + 0x800)
    code.bytes += exception.code
    code.say("on")
    code.reset()
    let (recorded, text) = try Self.record(code)
    #expect(text == "go")
    #expect(recorded.isComplete)
    // Where nothing is left to stop at, it is a triple fault, and says what from.
    let detail = recorded.summary.detail
    #expect([.emulationFailure, .tripleFault].contains(recorded.summary.endReason))
    #expect(detail.contains("vCPU 0's stack is at 0x200800, on the protected page 0x200000 of 0x200000+0x1000" + Self.reason), "\(detail)")
    if hasTask { #expect(recorded.summary.endReason == .emulationFailure, "\(detail)") }
    expectWellFormed(recorded)
  }

  /// Stacks that the CPU goes over to count as well, those of the task's segment.
  @Test(.needsKVM, arguments: [false, true]) func stacksOfTheTaskAreNotProtected(isRing0: Bool) throws {
    var code = GuestCode()
    if isRing0 { code.loadTask(ring0: Self.page + 0x1000) } else { code.loadTask(interruptStack: Self.page + 0x1000) }
    code.say("go")
    code.reset()
    let (recorded, _) = try Self.record(code)
    let stack = isRing0 ? "vCPU 0's stack for interrupts of user mode" : "vCPU 0's interrupt stack 1"
    Self.expectStackEnd(recorded, "memory cannot be protected: \(stack) is at 0x201000, on the protected page 0x200000 of 0x200000+0x1000")
  }

  /// Here only after the page was protected, and with no exit before it is needed.
  @Test(.needsKVM) func userModeFindsNoProtectedStack() throws {
    var code = GuestCode()
    code.handle(6, saying: "x")
    code.handle(8, saying: "D")
    code.loadTask()
    code.useInterruptStack(8)
    code.openToUserMode()
    code.load(.rcx, Self.page + 0x1000)
    code.say("go")
    code.store(.rcx, to: 0xd004)
    code.enterUserMode()
    code.emit(0x0f, 0x0b)  // ud2
    let (recorded, text) = try Self.record(code)
    #expect(text == "go")
    Self.expectStackEnd(recorded, "vCPU 0's stack for interrupts of user mode is at 0x201000, on the protected page 0x200000 of 0x200000+0x1000")
  }

  /// Interrupts on a stack between two protected pages, and a double fault of the guest's own.
  @Test(.needsKVM) func whatIsNotOnAProtectedPageGoesOn() throws {
    var code = GuestCode()
    code.handle(0x20, saying: "t", endsInterrupt: true)
    code.handle(8, saying: "D", resets: true)
    code.loadTask()
    code.useInterruptStack(8)
    code.startTimer()
    code.say("go")
    for page in Self.around { code.store(.rbx, to: page) }
    // From the top of the page, and down to where a frame and what the handler does just fit.
    for rsp in [Self.page + 0x1000, Self.page + 128] {
      code.load(.rsp, rsp)
      code.emit(0xfb, 0xf4, 0xfa)  // sti; hlt; cli
    }
    // A page fault without a handler
    code.load(.rax, 1 << 32)
    code.emit(0x48, 0x8b, 0x00)
    let (recorded, text) = try Self.record(code, protecting: Self.around)
    #expect(text == "gottD")
    #expect(recorded.summary.detail == "the guest reset the machine")
    #expect(recorded.of(.writeTrap).map(\.gpa) == Self.around)
    expectWellFormed(recorded)
  }

  // MARK: Tables

  /// Bits that the CPU sets where it reads are set before it does; a busy task's segment is a write like others.
  @Test(.needsKVM) func tablesThatTheCPUReadsCanBeProtected() throws {
    var code = GuestCode()
    code.loadDescriptors()
    code.load(.rax, 0x00cf_9200_0000_ffff)
    code.store(.rax, to: 0xa010)
    code.load(.rax, 0x40_0083)
    code.store(.rax, to: 0x3010)
    code.emit(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8)  // mov %cr3, %rax; mov %rax, %cr3
    code.say("go")
    code.sayBits(1, from: 40, of: 0xa010)
    code.sayBits(2, from: 5, of: 0x3010)
    code.load(.rax, 0x10)
    code.emit(0x8e, 0xd8)  // mov %eax, %ds
    code.load(.rax, 0x28)
    code.emit(0x0f, 0x00, 0xd8)  // ltr %ax
    let afterTask = code.here
    code.store(.rax, to: 0x40_0000)
    code.say("w")
    code.sayBits(2, from: 5, of: 0x3010)
    code.reset()
    // With hardware the CPU writes to page tables whatever is in them.
    let isEmulated = try HostSupport.check().kind == .emulating
    let (recorded, text) = try Self.record(code, protecting: isEmulated ? [0x3000, 0xa000] : [0xa000])
    #expect(text == (isEmulated ? "go13w3" : "go10w3"))
    #expect(recorded.summary.detail == "the guest reset the machine")
    #expect(recorded.of(.writeTrap).map { $0.gpa & ~7 } == [0xa028] && recorded.of(.writeTrap).map(\.rip) == [afterTask])
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func pageTablesAreNotProtectedFromHardware() throws {
    guard try HostSupport.check().kind == .hardware else { return }
    var code = GuestCode()
    code.say("go")
    code.reset()
    let (recorded, text) = try Self.record(code, protecting: [0x3000])
    #expect(text == "go")
    #expect(recorded.summary.endReason == .emulationFailure)
    #expect(recorded.summary.detail.hasPrefix("memory cannot be protected: a page table of vCPU 0 is on the protected page 0x3000 of 0x3000+0x1000: "))
  }

  /// A table that comes into use later has no bits set.
  @Test(.needsKVM) func aDescriptorThatCannotBeLoadedEndsTheRecording() throws {
    var code = GuestCode()
    code.load(.rax, 0x00af_9b00_0000_ffff)
    code.store(.rax, to: Self.page + 8)
    code.load(.rax, 0x00cf_9200_0000_ffff)
    code.store(.rax, to: Self.page + 0x10)
    code.load(.rax, Self.page << 16 | 0x17)
    code.store(.rax, to: 0xb000)
    code.say("go")
    code.emit([0x0f, 0x01, 0x14], at: 0xb000)  // lgdt
    code.load(.rax, 0x10)
    code.emit(0x8e, 0xd8)  // mov %eax, %ds
    code.say("on")
    code.reset()
    let (recorded, text) = try Self.record(code)
    #expect(text == "go")
    #expect(recorded.summary.endReason == .emulationFailure)
    #expect(recorded.summary.detail.hasPrefix("KVM does not get past the instruction of vCPU 0 at rip 0x"), "\(recorded.summary.detail)")
    #expect(recorded.summary.detail.contains(": 8e d8 ") && recorded.isComplete)
  }

  /// It is too wide for KVM to bring out.
  @Test(.needsKVM) func aStoreThatCannotBeFinishedEndsTheRecording() throws {
    guard try HostSupport.check().kind == .emulating else { return }
    var code = GuestCode()
    code.say("go")
    code.emit([0x48, 0x0f, 0xae, 0x04], at: Self.page)  // fxsave64
    code.say("on")
    code.reset()
    let (recorded, text) = try Self.record(code)
    #expect(text == "go")
    #expect(recorded.summary.endReason == .emulationFailure)
    #expect(recorded.summary.detail.contains(": 48 0f ae 04 25 ") && recorded.isComplete, "\(recorded.summary.detail)")
  }

  // MARK: Guests that protect memory themselves

  /// They get interrupts from the recorder, which knows where the frame would go.
  @Test(.needsKVM, arguments: [false, true]) func anInterruptFindsNoTracedStack(isTraced: Bool) throws {
    var code = GuestCode()
    code.handle(0x20, saying: "")
    code.hypercall(100, isTraced ? Self.page : Self.page + 0x1000, 1)
    code.load(.rsp, Self.page + 0x800)
    code.emit(0x53)  // push %rbx
    code.hypercall(11, 0, 0x20)
    code.emit(0xfb, 0x90, 0x90)  // sti; nop; nop
    code.hypercall(16)
    code.hypercall(15, 0)
    let recorded = try Recorded(code)
    if isTraced {
      Self.expectStackEnd(recorded, "vCPU 0's stack is at 0x2007f8, on the protected page 0x200000")
    } else {
      #expect(recorded.summary.endReason == .guestFinished && recorded.summary.detail == "code 0")
    }
    #expect(recorded.of(.writeTrap).count == (isTraced ? 1 : 0))
    expectWellFormed(recorded)
  }

  /// Right after the privileged mode KVM does not have the guest's own page tables yet: they decide all the same.
  @Test(.needsKVM, arguments: [false, true]) func aStackIsLookedForWhereTheGuestMapsIt(isTraced: Bool) throws {
    var code = GuestCode()
    code.handle(0x20, saying: "")
    // As at the start, but for the third 2 MiB: they are the second ones.
    for (address, entry) in [(0xc000, 0xd023), (0xd000, 0xe023), (0xd008, 0x4023), (0xe000, 0xe3), (0xe010, 0x20_00e3)] as [(UInt64, UInt64)] {
      code.load(.rax, entry)
      code.store(.rax, to: address)
    }
    code.load(.rax, 0xc000)
    code.emit(0x0f, 0x22, 0xd8)  // mov %rax, %cr3
    code.load(.rsp, 0x40_0800)
    code.hypercall(100, isTraced ? 0x20_0000 : 0x40_0000, 1)
    code.hypercall(11, 0, 0x20)
    code.load(.rax, 9)
    code.load(.rdx, 0x5054)
    code.emit(0xfb, 0xef)  // sti; outl %eax, %dx
    code.hypercall(15, 0)
    let recorded = try Recorded(code)
    if isTraced {
      Self.expectStackEnd(recorded, "vCPU 0's stack is at 0x400800, on the protected page 0x200000")
    } else {
      #expect(recorded.summary.endReason == .guestFinished && recorded.summary.detail == "code 0", "\(recorded.summary)")
    }
  }

  @Test(.needsKVM) func aTripleFaultOfATracedStackSaysSo() throws {
    var code = GuestCode()
    code.handle(6, saying: "")
    code.hypercall(100, Self.page, 1)
    code.load(.rsp, Self.page + 0x800)
    code.emit(0x0f, 0x0b)  // ud2
    let recorded = try Recorded(code)
    #expect(recorded.summary.endReason == .tripleFault)
    #expect(recorded.summary.detail.hasSuffix("; vCPU 0's stack is at 0x200800, on the protected page 0x200000" + Self.reason), "\(recorded.summary.detail)")
  }
}
