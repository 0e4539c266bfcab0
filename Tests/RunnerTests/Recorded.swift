import Glibc
import GuestImages
import KVM
import Runner
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// Why tests that need a guest do not run; nil where they do.
let kvmProblem: String? = {
  do throws(RecordingError) {
    _ = try HostSupport.check()
    return nil
  } catch { return error.description }
}()

extension Trait where Self == ConditionTrait {
  /// Runs only where this host can execute guests; the reason is shown where it cannot.
  static var needsKVM: Self { .enabled(if: kvmProblem == nil, "\(kvmProblem ?? "")") }
}

/// A guest of a test's own, recorded and read back.
struct Recorded {
  var summary: RecordingSummary
  var header: TraceHeader
  var events: [TraceEvents.Event]
  var isComplete: Bool

  init(
    _ code: GuestCode, vcpus: Int = 1, ringEntries: Int = 65_536, stop: RecordingStop? = nil, progress: ((RecordingProgress) -> Void)? = nil
  ) throws {
    try self.init(ScriptedDecider(), code, vcpus: vcpus, ringEntries: ringEntries, stop: stop, progress: progress)
  }

  init(
    _ decider: ScriptedDecider, _ code: GuestCode, vcpus: Int = 1, ringEntries: Int = 65_536, stop: RecordingStop? = nil,
    progress: ((RecordingProgress) -> Void)? = nil
  ) throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try code.image, vcpuCount: vcpus, output: path)
    options.dirtyRingEntries = ringEntries
    try self.init(try Recording.run(options, decider: decider, stop: stop, progress: progress), path)
  }

  /// An image under the real hypervisor core.
  init(image: GuestImage, vcpus: Int, faults: [String] = [], schedule: Schedule = .parallel, writes: WriteMode = .protected) throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: image, vcpuCount: vcpus, output: path)
    options.faults = faults
    options.schedule = schedule
    options.writes = writes
    try self.init(try Recording.run(options), path)
  }

  /// A guest with a PC's devices. One that would never end is stopped.
  init(_ image: GuestImage, pc: PCOptions, vcpus: Int = 1, ramBytes: UInt64 = 16 << 20) throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: image, vcpuCount: vcpus, output: path)
    options.memorySize = ramBytes
    options.pc = pc
    options.writes = pc.protection == nil ? .pages : .protected
    let stop = try RecordingStop()
    try self.init(try Recording.run(options, stop: stop) { if $0.elapsed > 60_000_000_000 { stop.stop() } }, path)
  }

  private init(_ summary: RecordingSummary, _ path: String) throws {
    self.summary = summary
    let reader = try TraceReader(path: path)
    header = reader.header
    events = []
    let batch = EventBatch()
    while reader.nextBatch(into: batch) {
      events += batch.withCursor { cursor in
        var out: [TraceEvents.Event] = []
        while cursor.next() { out.append(cursor.event) }
        return out
      }
    }
    isComplete = reader.isComplete
    #expect(reader.damage.isEmpty)
  }

  func of(_ kind: EventKind) -> [TraceEvents.Event] { events.filter { $0.kind == kind } }
}

func temporaryPath() -> String {
  "/tmp/pagetape-test-\(getpid())-\(UInt64.random(in: 0 ... .max)).tape"
}
