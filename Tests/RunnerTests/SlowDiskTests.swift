import Glibc
import Hypervisor
import Runner
import Synchronization
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// A disk that takes nothing for a while, when it is told so.
private final class SlowDisk: Sendable {
  private let until = Atomic<UInt64>(0)

  private static var now: UInt64 {
    var time = timespec()
    // SAFETY: the structure is ours.
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
  }

  func hold(milliseconds: UInt64) { until.store(Self.now + milliseconds, ordering: .sequentiallyConsistent) }

  func wait() { while Self.now < until.load(ordering: .sequentiallyConsistent) { usleep(1000) } }
}

/// Stops the disk whenever it is about to get the other vCPUs out of the guest, or to end.
private struct HoldingDecider: VCPUDecider {
  var script = ScriptedDecider()
  let disk: SlowDisk
  let calls: Set<ScriptedDecider.Call>

  var outcome: (reason: EndReason, detail: String)? { script.outcome }

  mutating func start(_ vcpu: Int, rip: UInt64, argument: UInt64, host: inout some HypervisorHost) {
    script.start(vcpu, rip: rip, argument: argument, host: &host)
  }

  mutating func step(_ vcpu: Int, readiness: VCPUReadiness, host: inout some HypervisorHost) -> Directive {
    script.step(vcpu, readiness: readiness, host: &host)
  }

  mutating func protect(_ plan: ProtectionPlan, host: inout some HypervisorHost) throws(ProtectionPlanError) {
    try script.protect(plan, host: &host)
  }

  mutating func handle(_ input: HypervisorInput, on vcpu: Int, host: inout some HypervisorHost) {
    if case .hypercall(let number, _, _, _) = input, let call = ScriptedDecider.Call(rawValue: number), calls.contains(call) {
      disk.hold(milliseconds: 3500)
    }
    script.handle(input, on: vcpu, host: &host)
  }
}

/// A disk slower than the vCPUs: they wait for it, however long, and nobody takes that for a vCPU that hangs.
@Suite(.serialized) struct SlowDiskTests {
  @Test(.needsKVM, arguments: [ScriptedDecider.Call.trace, .finish]) func whoWaitsForTheDiskDoesNotHang(call: ScriptedDecider.Call) throws {
    var code = GuestCode()
    code.emit(0xe9, 0, 0, 0, 0)  // jmp over the writer
    let writer = code.here
    // More pages than all buffers have room for, again and again without an exit.
    for page in 0..<200 as Range<UInt64> { code.emit([0x48, 0xff, 0x04], at: 0x40_0000 + page * 4096) }  // incq
    code.load(.rbx, 1)
    code.store(.rbx, to: 0x38_0000)
    code.jump(to: writer)
    let distance = UInt32(code.here - writer)
    for index in 0..<4 { code.bytes[1 + index] = UInt8(truncatingIfNeeded: distance >> UInt32(8 * index)) }
    code.hypercall(12, 1, writer, 0)
    code.wait(for: 1, at: 0x38_0000) { $0.hypercall(16) }
    code.loop(2) { code in
      for number in [100, 101] as [UInt64] { code.hypercall(number, 0x30_0000, 1) }
    }
    code.hypercall(15, 0)
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try code.image, vcpuCount: 2, output: path)
    (options.kickLimitSeconds, options.joinLimitSeconds, options.eventsPerBlock) = (1, 1, 16)
    let disk = SlowDisk()
    options.outputSeam.willTake = { _, _ in
      disk.wait()
      return 0
    }
    let summary = try Recording.run(options, decider: HoldingDecider(disk: disk, calls: [call]))
    #expect(summary.endReason == .guestFinished && summary.detail == "code 0", "\(summary.detail)")
    let reader = try TraceReader(path: path)
    #expect(reader.isComplete && reader.eventCount == summary.events && summary.lost == 0)
  }
}
