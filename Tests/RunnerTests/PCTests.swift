import GuestImages
import KVM
import SavedMachines
import Runner
import Synchronization
import Testing
import TraceEvents
import TraceFormat

/// What a guest sent to its console.
final class Screen: Sendable {
  private let bytes = Mutex<[UInt8]>([])

  var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }

  /// A console that shows here.
  func console() -> Console { Console { byte in self.bytes.withLock { $0.append(byte) } } }
}

extension GuestCode {
  /// mov $value, %al; out %al, port
  mutating func out(_ value: UInt8, to port: UInt16) {
    load(.rdx, UInt64(port))
    emit(0xb0, value, 0xee)
  }

  mutating func say(_ text: String) { for byte in text.utf8 { out(byte, to: 0x3f8) } }

  /// Waits for a byte from the console and gets it into %al.
  mutating func receive() {
    load(.rdx, 0x3fd)
    emit(0xec, 0xa8, 0x01, 0x74, 0xfb)  // in %dx, %al; test $1, %al; jz
    load(.rdx, 0x3f8)
    emit(0xec)
  }

  mutating func reset() {
    out(0xfe, to: 0x64)
    emit(0xf4)
  }

  /// Makes a table at 0x9000 whose gate `vector` leads to a handler that says `text` and returns, or resets.
  mutating func handle(_ vector: UInt64, saying text: String, endsInterrupt: Bool = false, resets: Bool = false) {
    var handler = GuestCode()
    handler.emit(0x50, 0x52)  // push %rax; push %rdx
    handler.say(text)
    if endsInterrupt { handler.out(0x20, to: 0x20) }
    if resets { handler.reset() }
    handler.emit(0x5a, 0x58, 0x48, 0xcf)  // pop; pop; iretq
    // Over the handler.
    jump(to: here + 5 + UInt64(handler.bytes.count))
    let entry = here
    bytes += handler.bytes
    load(.rax, entry & 0xffff | 0x08 << 16 | 0x8e00 << 32 | (entry >> 16) << 48)
    store(.rax, to: 0x9000 + vector * 16)
    load(.rax, entry >> 32)
    store(.rax, to: 0x9008 + vector * 16)
    load(.rax, 0x9000 << 16 | 0xfff)
    store(.rax, to: 0xb000)
    emit([0x0f, 0x01, 0x1c], at: 0xb000)  // lidt
  }
}

/// Guests with a PC's devices.
@Suite(.serialized) struct PCTests {
  static func run(_ code: GuestCode, typing text: String = "", _ change: (inout PCOptions) -> Void = { _ in }) throws -> (Recorded, String) {
    let screen = Screen()
    var pc = PCOptions(console: screen.console())
    change(&pc)
    pc.console.send(Array(text.utf8))
    return (try Recorded(try code.image, pc: pc), screen.text)
  }

  @Test(.needsKVM) func theConsoleGoesBothWaysAndAResetEnds() throws {
    var code = GuestCode()
    code.say("name? ")
    code.receive()
    code.emit(0xee)
    code.receive()
    code.emit(0xee)
    code.reset()
    let (recorded, text) = try Self.run(code, typing: "ok")
    #expect(text == "name? ok")
    #expect(recorded.summary.endReason == .guestFinished)
    #expect(recorded.summary.detail == "the guest reset the machine")
    #expect(recorded.isComplete)
    expectWellFormed(recorded)
  }

  /// Without an end, as from `yes`: in order, nothing lost, and read no faster than the guest takes it.
  @Test(.needsKVM) func theConsoleWaitsForTheGuest() throws {
    let count = 20_000
    var code = GuestCode()
    code.loop(UInt64(count)) { code in
      code.receive()
      code.emit(0xee)
    }
    code.reset()
    let screen = Screen()
    let pc = PCOptions(console: screen.console())
    // A thread of its own: a task would wait for tests that wait for guests.
    let sentCount = Mutex(0)
    let sender = try VCPUThread.start(name: "sender") {
      var sent = 0
      while pc.console.waitForRoom() {
        pc.console.send((sent..<sent + 100).map { UInt8(ascii: "a") + UInt8($0 % 26) })
        sent += 100
      }
      sentCount.withLock { $0 = sent }
    }
    _ = try Recorded(try code.image, pc: pc)
    #expect(sender.join(seconds: 60))
    let sent = sentCount.withLock { $0 }
    #expect(screen.text == String(decoding: (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) }, as: UTF8.self))
    #expect(sent < count + Console.room + 100, "\(sent)")
  }

  @Test(.needsKVM) func aPanicIsToldFromAReset() throws {
    var code = GuestCode()
    code.say("Kernel panic - not syncing: no")
    code.reset()
    #expect(try Self.run(code).0.summary.detail == "the guest's kernel panicked, and reset the machine")
  }

  @Test(.needsKVM) func aHaltWithInterruptsOffIsTheEnd() throws {
    var code = GuestCode()
    code.say("bye")
    code.emit(0xfa, 0xf4)  // cli; hlt
    let (recorded, text) = try Self.run(code)
    #expect(text == "bye")
    #expect(recorded.summary.endReason == .guestFinished)
    #expect(recorded.summary.detail == "the guest halted for good")
  }

  /// The console's bytes that were sent before it are there, and nothing is executed after it.
  @Test(.needsKVM) func sleepOfTypeOffIsAPowerOff() throws {
    var code = GuestCode()
    code.say("bye")
    code.load(.rdx, 0x604)
    code.load(.rax, 0x1400)
    code.emit(0x66, 0xef)  // outw %ax, %dx
    code.say("!")
    code.load(.rdx, 0x604)
    code.load(.rax, 0x3400)
    code.emit(0x66, 0xef)
    code.say("still there")
    let (recorded, text) = try Self.run(code)
    #expect(text == "bye!")
    #expect(recorded.summary.endReason == .guestFinished)
    #expect(recorded.summary.detail == "the guest powered off")
    #expect(recorded.isComplete)
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func theResetControlRegisterTakesBytesOnly() throws {
    var code = GuestCode()
    code.load(.rdx, 0xcf8)
    code.load(.rax, 0x8000_ff00)
    code.emit(0xef)  // outl %eax, %dx: the configuration address of a PCI device
    code.say("a")
    code.out(0x02, to: 0xcf9)
    code.out(0x06, to: 0xcf9)
    code.say("b")
    let (recorded, text) = try Self.run(code)
    #expect(text == "a")
    #expect(recorded.summary.detail == "the guest reset the machine")
  }

  @Test(.needsKVM) func theTimerTicks() throws {
    var code = GuestCode()
    code.handle(0x20, saying: "t", endsInterrupt: true)
    for (port, value) in [(0x20, 0x11), (0x21, 0x20), (0x21, 0x04), (0x21, 0x01), (0x21, 0xfe)] as [(UInt16, UInt8)] { code.out(value, to: port) }
    for (port, value) in [(0x43, 0x34), (0x40, 0), (0x40, 0)] as [(UInt16, UInt8)] { code.out(value, to: port) }
    code.emit(0xfb, 0xf4, 0xf4, 0xfa)  // sti; hlt; hlt; cli
    code.reset()
    let (recorded, text) = try Self.run(code)
    #expect(text == "tt")
    #expect(recorded.summary.detail == "the guest reset the machine")
  }

  /// Where KVM emulates it leaves these to be finished; elsewhere the CPU does them.
  @Test(.needsKVM) func floatingInstructionsAndBreakpointsAreFinished() throws {
    var code = GuestCode()
    code.handle(3, saying: "3")
    code.load(.rax, 0x1f80)
    code.store(.rax, to: 0xc000)
    code.emit(0xdb, 0xe3, 0x9b, 0xdb, 0xe2)  // fninit; fwait; fnclex
    code.emit([0xdb, 0x04], at: 0xc000)  // fildl
    code.emit(0x0f, 0x77)  // emms
    code.emit([0x0f, 0xae, 0x14], at: 0xc000)  // ldmxcsr
    code.say("a")
    code.emit(0xcc)
    code.say("b")
    code.reset()
    let (recorded, text) = try Self.run(code)
    #expect(text == "a3b")
    #expect(recorded.summary.detail == "the guest reset the machine")
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func whatCannotBeFinishedEndsTheRecording() throws {
    guard try HostSupport.check().kind == .emulating else { return }
    var code = GuestCode()
    code.say("a")
    code.emit([0x48, 0x0f, 0xc7, 0x0c], at: 0xc000)  // cmpxchg16b
    let (recorded, text) = try Self.run(code)
    #expect(text == "a")
    #expect(recorded.summary.endReason == .emulationFailure)
    #expect(recorded.summary.detail.contains("48 0f c7 0c 25"))
    #expect(recorded.isComplete)
  }

  @Test(.needsKVM) func aSnapshotIsGoneOnFrom() throws {
    var code = GuestCode()
    code.load(.rbx, UInt64(UInt8(ascii: "r")))
    code.load(.rcx, UInt64(UInt8(ascii: "m")))
    code.store(.rcx, to: 0x20_0000)
    code.store(.rbx, to: 0x20_0010)
    code.emit([0xf3, 0x0f, 0x6f, 0x04], at: 0x20_0010)  // movdqu 0x200010, %xmm0
    code.store(.rcx, to: 0x20_0010)
    code.say("ready")
    code.emit(0x88, 0xd8)  // mov %bl, %al
    code.load(.rdx, 0x3f8)
    code.emit(0xee)
    code.fetch(.rax, from: 0x20_0000)
    code.emit(0xee)
    code.emit([0xf3, 0x0f, 0x7f, 0x04], at: 0x20_0020)  // movdqu %xmm0, 0x200020
    code.fetch(.rax, from: 0x20_0020)
    code.emit(0xee)
    code.receive()
    code.emit(0xee)
    code.reset()
    let taken = Mutex<[SavedMachine]>([])
    let (first, text) = try Self.run(code, typing: "1") { pc in
      pc.snapshot = SnapshotRequest(at: .console("ready")) { state in taken.withLock { $0.append(state) } }
    }
    #expect(text == "readyrmr1")
    #expect(first.summary.detail == "the guest reset the machine")
    let state = try #require(taken.withLock { $0 }.first)
    #expect(taken.withLock { $0.count } == 1)
    let read = try SavedMachine(fileBytes: state.fileBytes())
    #expect(read == state)
    let screen = Screen()
    var pc = PCOptions(console: screen.console())
    pc.start = read
    let again = try Recorded(GuestImage(read), pc: pc)
    // What had been typed and not been read is in the snapshot.
    #expect(screen.text == "rmr1")
    #expect(again.summary.detail == "the guest reset the machine")
    #expect(again.header.properties.contains { $0.value == state.digest })
    expectWellFormed(again)
  }

  /// KVM never takes a delivered interrupt out of the registers that it shares: they must not bring it back.
  @Test(.needsKVM) func aSnapshotHoldsNoInterruptThatIsPast() throws {
    var code = GuestCode()
    code.handle(0x20, saying: "t", endsInterrupt: true)
    for (port, value) in [(0x20, 0x11), (0x21, 0x20), (0x21, 0x04), (0x21, 0x01), (0x21, 0xfe)] as [(UInt16, UInt8)] { code.out(value, to: port) }
    for (port, value) in [(0x43, 0x34), (0x40, 0), (0x40, 0)] as [(UInt16, UInt8)] { code.out(value, to: port) }
    code.emit(0xfb, 0xf4, 0xfa)  // sti; hlt; cli
    code.out(0xff, to: 0x21)
    code.say("ready")
    code.emit(0xfb, 0x90, 0x90, 0xfa)  // sti; nop; nop; cli
    code.say(".")
    code.reset()
    let taken = Mutex<SavedMachine?>(nil)
    _ = try Self.run(code) { $0.snapshot = SnapshotRequest(at: .console("ready")) { state in taken.withLock { $0 = state } } }
    let state = try #require(taken.withLock { $0 })
    let screen = Screen()
    var pc = PCOptions(console: screen.console())
    pc.start = state
    _ = try Recorded(GuestImage(state), pc: pc)
    #expect(screen.text == ".")
  }
}
