import Glibc
import KVM
import Runner
import Testing
import TraceEvents

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

  @Test func remediesAreNamed() {
    #expect(KVMError(.openDevice, errno: EACCES).description.contains("usermod -aG kvm"))
    #expect(KVMError(.openDevice, errno: ENOENT).description.contains("modprobe"))
    #expect(KVMError(.mapMemory, errno: ENOMEM).description.contains("less memory"))
    #expect(KVMError(.interrupt, errno: EINVAL).remedy.isEmpty)
  }
}
