import Glibc
import GuestImages
import KVM
import Runner
import Synchronization
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// Holds the thread of vCPU 1 in its third run, until it is released and has come out.
private final class Hold: Sendable {
  private let runs = Atomic<Int>(0)
  private let held = Atomic<Bool>(true)
  private let passed = Atomic<Bool>(false)

  var isMet: Bool { runs.load(ordering: .sequentiallyConsistent) >= 3 }

  func meet(_ call: KVMCall) {
    guard call == .run, Self.threadName == "vcpu-1" else { return }
    guard runs.add(1, ordering: .sequentiallyConsistent).newValue >= 3 else { return }
    while held.load(ordering: .sequentiallyConsistent) { usleep(1000) }
    passed.store(true, ordering: .sequentiallyConsistent)
  }

  private static var threadName: String {
    let file = unsafe open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC)
    defer { close(file) }
    var name = [UInt8](repeating: 0, count: 16)
    // SAFETY: reads at most the array's size into it.
    let count = unsafe name.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
    return String(decoding: name.prefix(max(count - 1, 0)), as: UTF8.self)
  }

  func release() {
    held.store(false, ordering: .sequentiallyConsistent)
    while !passed.load(ordering: .sequentiallyConsistent) { usleep(1000) }
    // Its last events, which nobody takes.
    usleep(50_000)
  }
}

/// Every system call of a recording made to fail once, each in its turn: nothing may leak, and the error names the call.
@Suite(.serialized) struct FailureTests {
  private static func record(_ probe: KVMProbe) throws -> RecordingSummary {
    var code = GuestCode()
    code.load(.rbx, 1)
    code.hypercall(100, 0x30_0000, 1)
    code.store(.rbx, to: 0x30_0000)
    code.hypercall(9)
    code.store(.rbx, to: 0x40_0000)
    code.hypercall(15, 0)
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try code.image, vcpuCount: 2, output: path)
    options.seam = KVMSeam(probe: probe)
    return try Recording.run(options, decider: ScriptedDecider())
  }

  @Test(.needsKVM) func nothingLeaksWithoutAFailure() throws {
    let probe = KVMProbe()
    #expect(try Self.record(probe).endReason == .guestFinished)
    #expect(probe.outstanding == 0)
    #expect(probe.log.contains(.run) && probe.log.contains(.resetDirtyRings) && probe.log.contains(.setFPU))
  }

  @Test(.needsKVM) func everyCallCanFail() throws {
    let calls = KVMProbe()
    _ = try Self.record(calls)
    var seen: Set<KVMCall> = []
    for number in calls.log.indices { try Self.fail(KVMProbe(failAt: number, errno: EIO), "call \(number)", &seen) }
    // The order differs from run to run: a kind that is called but once can have slipped past every number. It is asked for by name.
    let kinds = Set(calls.log).filter { $0 != .close && $0 != .unmap }
    for kind in kinds.subtracting(seen) { try Self.fail(KVMProbe(failAt: 0, failing: kind, errno: EIO), "first \(kind)", &seen) }
    #expect(seen.isSuperset(of: kinds))
  }

  /// Records with a call made to fail, and adds it to `seen`.
  private static func fail(_ probe: KVMProbe, _ name: String, _ seen: inout Set<KVMCall>) throws {
    do {
      let summary = try record(probe)
      // A run can have fewer calls than the one that they were counted in.
      guard let forced = probe.forced else { return }
      seen.insert(forced)
      #expect(summary.endReason == .internalError, "\(name), \(forced)")
      #expect(summary.detail.contains(forced.rawValue), "\(name): \(summary.detail)")
    } catch let RecordingError.host(error) {
      seen.insert(error.call)
      #expect(error.call == probe.forced, "\(name)")
      #expect(error.errno == EIO)
      #expect(error.description.contains(error.call.rawValue))
    }
    #expect(probe.outstanding == 0, "\(name), \(String(describing: probe.forced)), leaks")
  }

  /// A signal at the wrong moment is no failure: the guest goes on.
  @Test(.needsKVM) func interruptedRunIsTriedAgain() throws {
    let calls = KVMProbe()
    _ = try Self.record(calls)
    for number in 0..<calls.log.count(where: { $0 == .run }) {
      let probe = KVMProbe(failAt: number, failing: .run, errno: EINTR)
      let summary = try Self.record(probe)
      // The number of entries differs a little between runs; only the last few can be missing.
      #expect(probe.forced == .run || number > probe.log.count(where: { $0 == .run }) - 1)
      #expect(summary.endReason == .guestFinished, "entry \(number): \(summary.detail)")
    }
  }

  /// A vCPU that cannot be run any more ends the recording, in order, and its end names the vCPU.
  @Test(.needsKVM, arguments: [EFAULT, EBADF]) func aVCPUThatDiesLeavesACompleteTrace(errno: Int32) throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try GuestImage(nameOrPath: "writer"), vcpuCount: 2, output: path)
    let probe = KVMProbe(failAt: 7, failing: .run, errno: errno)
    options.seam = KVMSeam(probe: probe)
    let summary = try Recording.run(options)
    #expect(probe.forced == .run && probe.outstanding == 0)
    #expect(summary.endReason == .internalError)
    #expect(summary.detail.contains("vCPU 0") || summary.detail.contains("vCPU 1"), "\(summary.detail)")
    try Self.expectComplete(path, summary)
  }

  /// A thread that never comes back is left alone after a while: the trace is complete without it, and stays so when it does come back.
  @Test(.needsKVM) func aVCPUThatHangsLeavesACompleteTrace() throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    let hold = Hold()
    let stop = try RecordingStop()
    var options = RecordingOptions(image: try GuestImage(nameOrPath: "writer"), vcpuCount: 2, output: path)
    options.joinLimitSeconds = 3
    options.seam = KVMSeam(probe: KVMProbe(onCall: { hold.meet($0) }))
    let summary = try Recording.run(options, stop: stop) { _ in if hold.isMet { stop.stop() } }
    #expect(summary.endReason == .internalError)
    #expect(summary.detail.contains("vCPU 1 did not end within 3 seconds of the session's end (interrupted"), "\(summary.detail)")
    try Self.expectComplete(path, summary)
    hold.release()
    try Self.expectComplete(path, summary)
  }

  private static func expectComplete(_ path: String, _ summary: RecordingSummary) throws {
    let reader = try TraceReader(path: path)
    #expect(reader.isComplete && reader.size == summary.bytes && reader.eventCount == summary.events)
    let batch = EventBatch()
    var last: TraceEvents.Event?
    while reader.nextBatch(into: batch) { last = batch.events.last }
    #expect(reader.damage.isEmpty)
    #expect(last?.kind == .sessionEnd && last?.a == EndReason.internalError.rawValue)
    #expect(last.map { String(decoding: $0.data, as: UTF8.self) } == summary.detail)
  }

  @Test func remediesAreNamed() {
    #expect(KVMError(.openDevice, errno: EACCES).description.contains("usermod -aG kvm"))
    #expect(KVMError(.openDevice, errno: ENOENT).description.contains("modprobe"))
    #expect(KVMError(.mapMemory, errno: ENOMEM).description.contains("less memory"))
    #expect(KVMError(.interrupt, errno: EINVAL).remedy.isEmpty)
  }
}
