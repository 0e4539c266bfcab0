import Glibc
import GuestImages
import Runner
import Synchronization
import Testing
import TraceEvents
import TraceFile
import TraceFormat

@Suite(.serialized) struct RecordingTests {
  @Test(.needsKVM) func helloIsRecordedEndToEnd() throws {
    var code = GuestCode()
    code.load(.rbx, 0x1122_3344_5566_7788)
    code.store(.rbx, to: 0x20_0010)
    code.hypercall(15, 7)
    let recorded = try Recorded(code)
    #expect(recorded.summary.endReason == .guestFinished)
    #expect(recorded.summary.detail == "code 7")
    #expect(recorded.summary.events == UInt64(recorded.events.count))
    #expect(recorded.isComplete)
    #expect(recorded.events.first?.kind == .sessionStart)
    #expect(recorded.events.last?.kind == .sessionEnd)
    #expect(recorded.events.map(\.seq) == Array(1...UInt64(recorded.events.count)))
    let writes = recorded.of(.pageWrite).filter { $0.gpa == 0x20_0000 }
    #expect(writes.count == 1)
    #expect(PageDiff(writes[0].data)?.runs == [PageDiff.Run(offset: 0x10, bytes: [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11])])
    #expect(recorded.of(.guestEnter).first?.rip == GuestCode.base)
    // On a busy machine the vCPU may have been taken out on the way, to be harvested.
    let exits = recorded.of(.guestExit).filter { $0.a != GuestExitReason.kick.rawValue }
    #expect(exits.map(\.rip) == [code.here])
    #expect(exits.map(\.a) == [GuestExitReason.hypercall.rawValue])
  }

  @Test(.needsKVM) func headerSaysWhatWasRecorded() throws {
    var code = GuestCode()
    code.hypercall(15, 0)
    let header = try Recorded(code, vcpus: 2).header
    #expect(header.vcpuCount == 2)
    #expect(header.memory == [GuestRange(start: 0, length: RecordingOptions.defaultMemorySize)])
    #expect(header.region == GuestRange(start: 0x7000_0000, length: 0x10_0000))
    for name in ["recorder-version", "host-kernel", "kvm-kind", "kvm-capabilities", "guest-name", "guest-digest", "clock"] {
      #expect(header.property(name)?.isEmpty == false, "\(name)")
    }
  }

  /// Pages in the order of their first write since the last entry, each with what changed since it was last told of.
  @Test(.needsKVM) func pageWritesAreInOrderAndSayWhatChanged() throws {
    var code = GuestCode()
    code.load(.rbx, 0x41)
    code.store(.rbx, to: 0x40_0000)
    code.store(.rbx, to: 0x30_0ff8)
    code.store(.rbx, to: 0x40_0008)
    code.hypercall(16)
    code.store(.rbx, to: 0x40_0000)
    code.load(.rcx, 0x4200_4100)
    code.store(.rcx, to: 0x30_0ff8)
    code.hypercall(15, 0)
    let recorded = try Recorded(code)
    let writes = recorded.of(.pageWrite)
    #expect(writes.map(\.gpa) == [0x40_0000, 0x30_0000, 0x40_0000, 0x30_0000])
    let runs = writes.map { PageDiff($0.data)?.runs }
    #expect(runs[0] == [PageDiff.Run(offset: 0, bytes: [0x41]), PageDiff.Run(offset: 8, bytes: [0x41])])
    #expect(runs[1] == [PageDiff.Run(offset: 0xff8, bytes: [0x41])])
    #expect(runs[2] == [])
    #expect(runs[3] == [PageDiff.Run(offset: 0xff8, bytes: [0, 0x41]), PageDiff.Run(offset: 0xffb, bytes: [0x42])])
    if recorded.header.attribution == .everyWrite { #expect(writes.map(\.a) == [2, 1, 1, 1]) }
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func tripleFaultEndsTheSession() throws {
    var code = GuestCode()
    code.emit(0x0f, 0x0b)  // ud2, with no IDT
    let recorded = try Recorded(code)
    #expect(recorded.summary.endReason == .tripleFault)
    #expect(recorded.of(.guestExit).last?.a == GuestExitReason.shutdown.rawValue)
    #expect(recorded.isComplete)
  }

  /// On an emulating host, the exit names the instruction; hardware executes it, and faults for want of an IDT.
  @Test(.needsKVM) func whatKVMCannotEmulateEndsTheSession() throws {
    var code = GuestCode()
    code.emit(0xcc)  // int3
    let recorded = try Recorded(code)
    if recorded.header.attribution == .everyWrite {
      #expect(recorded.summary.endReason == .emulationFailure)
      #expect(recorded.summary.detail.contains("cc"))
      #expect(recorded.of(.sessionEnd).first?.data == Array(recorded.summary.detail.utf8))
    } else {
      #expect(recorded.summary.endReason == .tripleFault)
    }
    #expect(recorded.isComplete)
  }

  @Test(.needsKVM) func haltForeverEndsTheSession() throws {
    var code = GuestCode()
    code.halt()
    let recorded = try Recorded(code, vcpus: 3)
    #expect(recorded.summary.endReason == .allVCPUsHalted)
    #expect(recorded.of(.guestExit).last?.rip == code.here)
  }

  @Test(.needsKVM) func stopEndsTheSession() throws {
    var code = GuestCode()
    code.emit(0xeb, 0xfe)  // jmp .
    let stop = try RecordingStop()
    let recorded = try Recorded(code, stop: stop) { _ in stop.stop() }
    #expect(recorded.summary.endReason == .interrupted)
    #expect(recorded.of(.guestExit).last?.a == GuestExitReason.kick.rawValue)
    #expect(recorded.isComplete)
  }

  @Test(.needsKVM) func interruptFromTheTerminalEndsTheSession() throws {
    var code = GuestCode()
    code.emit(0xeb, 0xfe)  // jmp .
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try code.image, vcpuCount: 2, output: path)
    options.stopsOnInterrupt = true
    // The threads that tests run on block signals; a terminal's would go to the main thread.
    var mask = sigset_t()
    var old = sigset_t()
    unsafe sigemptyset(&mask)
    unsafe sigaddset(&mask, SIGINT)
    unsafe pthread_sigmask(SIG_UNBLOCK, &mask, &old)
    defer { _ = unsafe pthread_sigmask(SIG_SETMASK, &old, nil) }
    let stop = try RecordingStop()
    var calls = 0
    let summary = try Recording.run(options, stop: stop) { _ in
      calls += 1
      if calls == 1 { raise(SIGINT) }
      if calls == 20 { stop.stop() }
    }
    #expect(calls < 20, "the signal ended it")
    #expect(summary.endReason == .interrupted)
  }

  /// Asked to end at the very moment that the file is there: the handler is there before.
  @Test(.needsKVM, arguments: [SIGTERM, SIGINT]) func aSignalRightWhenTheFileIsThereLeavesACompleteTrace(signal: Int32) throws {
    // Whoever comes too early is ignored, or this process would end.
    let before = Glibc.signal(signal, SIG_IGN)
    defer { _ = Glibc.signal(signal, before) }
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try GuestImage(nameOrPath: "writer"), vcpuCount: 2, output: path)
    options.stopsOnInterrupt = true
    let isFirst = Atomic<Bool>(true)
    options.outputSeam.willTake = { _, _ in
      if isFirst.exchange(false, ordering: .relaxed) { kill(getpid(), signal) }
      return 0
    }
    let summary = try Recording.run(options)
    #expect(summary.endReason == .interrupted)
    let reader = try TraceReader(path: path)
    #expect(reader.isComplete && reader.eventCount == summary.events && reader.size == summary.bytes)
  }

  /// 300,000 stores without one exit: more than a ring holds.
  @Test(.needsKVM) func aGuestThatNeverLeavesIsHarvestedInTime() throws {
    var code = GuestCode()
    code.emit(0xbf, 0x00, 0x00, 0x40, 0x00)  // mov edi, 0x400000
    code.emit(0xb9, 0xe0, 0x93, 0x04, 0x00)  // mov ecx, 300000
    code.emit(0x48, 0x89, 0x0f, 0xff, 0xc9, 0x75, 0xf9)  // 1: mov [rdi], rcx; dec ecx; jnz 1b
    code.emit(0xf4)  // hlt
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try code.image, vcpuCount: 1, output: path)
    options.force = true
    let summary = try Recording.run(options)
    #expect(summary.endReason == .allVCPUsHalted)
    let reader = try TraceReader(path: path)
    let batch = EventBatch()
    var (lost, writes) = (0, UInt64(0))
    while reader.nextBatch(into: batch) {
      for event in batch.events {
        if event.kind == .eventsLost { lost += 1 }
        if event.kind == .pageWrite, event.gpa == 0x40_0000 { writes += event.a }
      }
    }
    #expect(lost == 0)
    if reader.header.attribution == .everyWrite { #expect(writes == 300_000) } else { #expect(writes > 0) }
  }

  @Test(.needsKVM) func discardRunsTheSameGuestAndWritesNothing() throws {
    var code = GuestCode()
    code.hypercall(100, 0x30_0000, 1)
    code.load(.rbx, 5)
    code.store(.rbx, to: 0x30_0000)
    code.fetch(.rdi, from: 0x30_0000)
    code.load(.rax, 15)
    code.emit(0xef)
    var options = RecordingOptions(image: try code.image, vcpuCount: 1, output: "")
    options.mode = .discard
    let summary = try Recording.run(options, decider: ScriptedDecider())
    #expect(summary.endReason == .guestFinished)
    #expect(summary.detail == "code 5")
    #expect(summary.events == 0)
    #expect(summary.path == nil)
  }

  @Test(.needsKVM) func badOptionsAreRefused() throws {
    var code = GuestCode()
    code.halt()
    for count in [0, 65] {
      let options = RecordingOptions(image: try code.image, vcpuCount: count, output: "")
      #expect(throws: RecordingError.self) { try Recording.run(options, decider: ScriptedDecider()) }
    }
    var missing = RecordingOptions(image: try code.image, vcpuCount: 1, output: "")
    missing.devicePath = "/nowhere/kvm"
    #expect { try Recording.run(missing, decider: ScriptedDecider()) } throws: { error in
      "\(error)".contains("/nowhere/kvm") && "\(error)".contains("modprobe")
    }
  }
}
