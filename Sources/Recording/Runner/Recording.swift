import GuestImages
import Hypervisor
import KVM
import SavedMachines
import TraceEvents
import Synchronization
import TraceFile
import TraceFormat

/// A guest, recorded from its first instruction to its end.
public enum Recording {
  private static let progressIntervalMilliseconds = 100
  /// A ring holds 65,536 entries, and an emulating host, which pushes one for every write, makes some millions a second.
  private static let harvestIntervalMilliseconds = 4

  private static let stallIntervalNanoseconds: UInt64 = 500_000_000

  /// Records until the guest ends, something ends it, or `stop` does. `progress` is called several times a second, on this thread.
  public static func run(
    _ options: RecordingOptions, stop: RecordingStop? = nil, progress: ((RecordingProgress) -> Void)? = nil
  ) throws(RecordingError) -> RecordingSummary {
    try check(options)
    return try run(options, decider: try CoreDecider(options), stop: stop, progress: progress)
  }

  /// As above, with somebody else to decide.
  package static func run(
    _ options: RecordingOptions, decider: some VCPUDecider, stop: RecordingStop? = nil, progress: ((RecordingProgress) -> Void)? = nil
  ) throws(RecordingError) -> RecordingSummary {
    try check(options)
    let machine: Machine
    let support: HostSupport
    let ending: RecordingStop
    if let stop { ending = stop } else { ending = try RecordingStop() }
    do throws(KVMError) { support = try HostSupport(devicePath: options.devicePath, seam: options.seam) } catch { throw .host(error) }
    if let problem = options.pc?.start?.problem(on: support.kind) { throw .snapshot(problem) }
    let platform: Platform? = if let pc = options.pc { try Platform(pc, support.kind) } else { nil }
    do throws(KVMError) { machine = try Machine(options, platform) } catch { throw .host(error) }
    try machine.makeReady()
    // Before there is a file, and until it is finished: a request to end finds no moment when it would leave a part of one behind.
    let catches = options.stopsOnInterrupt && ending.event.event.raiseOnInterrupt()
    defer { if catches { KVM.Event.stopRaisingOnInterrupt() } }
    if options.mode == .record {
      do throws(TraceFileError) {
        machine.writer = try TraceWriter(path: options.output, header: options.header(support, clockLead: machine.clockLead), options: options.writerOptions)
      } catch { throw .file(error) }
      // Where every write traps no ring fills.
      machine.harvestsByTime = support.kind == .emulating && options.writes != .exact
      // SAFETY: no data goes with it.
      _ = unsafe machine.writer?.append(.sessionStart, vcpu: TraceEvents.Event.host, a: UInt64(options.vcpuCount))
    }
    let started = monotonicNanoseconds()
    machine.connectConsole()
    defer { machine.platform?.console.disconnect() }
    let stuck = try drive(Session(machine: machine, decider: decider), options, ending, progress)
    return try conclude(machine, options, stuck: stuck, duration: monotonicNanoseconds() - started)
  }

  private static func check(_ options: RecordingOptions) throws(RecordingError) {
    guard (1...RecordingOptions.vcpuLimit).contains(options.vcpuCount) else {
      throw .usage("\(options.vcpuCount) vCPUs; expected 1 to \(RecordingOptions.vcpuLimit)")
    }
    if let start = options.pc?.start {
      guard start.vcpus.count == options.vcpuCount, start.ramBytes == options.memorySize else {
        throw .usage("the snapshot is of \(start.vcpus.count) vCPUs and \(start.ramBytes) bytes of memory: a recording from it has as many")
      }
    }
    guard options.pc == nil || options.writes != .exact && options.schedule.seed == nil else {
      throw .usage("a kernel is recorded by its page-writes, and with all vCPUs at once")
    }
    if let protection = options.pc?.protection {
      guard options.writes == .protected else { throw .usage("memory is protected where writes to it trap") }
      if let range = protection.plan.memory.first(where: { $0.start > options.memorySize || $0.length > options.memorySize - $0.start }) {
        throw .usage("\(ProtectionPlanError.noSuchMemory(range))")
      }
    }
    guard options.whenSlow == .wait || options.schedule.seed == nil else {
      throw .usage("a serial schedule gives one stream of events: none may depend on the disk, so the vCPUs must wait for it")
    }
    guard options.writes != .pages || !options.image.needsTraps else {
      throw .usage("the guest '\(options.image.name)' attacks its own driver, and never ends where nothing is denied: record it with writes that trap")
    }
    let entries = options.dirtyRingEntries
    guard entries >= 1024, entries <= 65_536, entries & (entries - 1) == 0 else {
      throw .usage("a dirty ring of \(entries) entries; expected a power of two from 1024 to 65536")
    }
    do throws(GuestImageError) {
      try options.image.check(vcpuCount: options.vcpuCount, ramBytes: options.memorySize)
    } catch { throw .guest(error) }
  }

  /// Runs the threads from start to end; the vCPUs whose threads never ended.
  private static func drive(
    _ session: Session<some VCPUDecider>, _ options: RecordingOptions, _ stop: RecordingStop, _ progress: ((RecordingProgress) -> Void)?
  ) throws(RecordingError) -> [Int] {
    let machine = session.machine
    var failure: KVMError?
    do throws(KVMError) { try session.start() } catch { failure = error }
    if failure == nil { watch(machine, stop, progress) }
    let stuck = session.join(seconds: options.joinLimitSeconds)
    // Their threads still use all of it: it must not be given back.
    if !stuck.isEmpty { _ = unsafe Unmanaged.passRetained(session) }
    if let failure { throw .host(failure) }
    return stuck
  }

  /// Waits for the end, tells how far it is, and ends it where somebody asks or the writer cannot go on.
  private static func watch(_ machine: Machine, _ stop: RecordingStop, _ progress: ((RecordingProgress) -> Void)?) {
    let started = monotonicNanoseconds()
    let kicks = machine.harvestsByTime || machine.isSerial
    let interval = kicks ? harvestIntervalMilliseconds : progressIntervalMilliseconds
    var (toldAt, kickedAt, tickedAt) = (started, started, started)
    while true {
      let raised = stop.event.event.wait(or: machine.ended, milliseconds: interval)
      if raised.other { return }
      if kicks { machine.lock.locked { machine.kickAllInside() } }
      if raised.this { machine.lock.locked { machine.finish(.interrupted, "stopped from outside") } }
      if let failure = machine.writer?.failure { machine.lock.locked { machine.finish(failure.error) } }
      let now = monotonicNanoseconds()
      if now - tickedAt >= Platform.tickNanoseconds {
        tickedAt = now
        machine.tick()
      }
      // Who never comes out by itself is looked at now and then.
      if now - kickedAt >= stallIntervalNanoseconds {
        kickedAt = now
        machine.lock.locked { machine.kickAllInside() }
      }
      guard now - toldAt >= UInt64(progressIntervalMilliseconds) * 1_000_000 else { continue }
      toldAt = now
      let events = machine.lastSeq.load(ordering: .relaxed)
      progress?(RecordingProgress(events: events, bytes: machine.writer?.size ?? 0, elapsed: now - started))
    }
  }

  private static func conclude(
    _ machine: Machine, _ options: RecordingOptions, stuck: [Int], duration: UInt64
  ) throws(RecordingError) -> RecordingSummary {
    var summary = try finish(machine, options, stuck: stuck, duration: duration)
    summary.missed = machine.platform?.missed ?? []
    summary.clockLead = machine.clockLead
    summary.snapshotFailure = machine.lock.locked { machine.snapshotFailure }
    return summary
  }

  private static func finish(
    _ machine: Machine, _ options: RecordingOptions, stuck: [Int], duration: UInt64
  ) throws(RecordingError) -> RecordingSummary {
    var end = machine.lock.locked { machine.end } ?? (.internalError, "no reason was given")
    if !stuck.isEmpty {
      let who = (stuck.count == 1 ? "the thread of vCPU " : "the threads of vCPUs ") + stuck.map { "\($0)" }.joined(separator: ", ")
      let detail = end.detail.isEmpty ? "" : ", \(end.detail)"
      end = (.internalError, "\(who) did not end within \(options.joinLimitSeconds) seconds of the session's end (\(end.reason)\(detail))")
    }
    guard let writer = machine.writer else {
      return RecordingSummary(endReason: end.reason, detail: end.detail, events: 0, bytes: 0, duration: duration, path: nil)
    }
    // Every thread has been joined, but for those that hang: what they may still say is not recorded.
    writer.appendEnd(end.reason, end.detail)
    do throws(TraceFileError) {
      try writer.finish()
    } catch {
      // A full disk and a size cap are ends that a recording can have; the file holds what came before.
      guard let reason = error.endReason else { throw .file(error) }
      // The writer ended the file with a session-end event of its own; the one appended above is among the dropped.
      let dropped = writer.failure?.dropped ?? 0
      return RecordingSummary(
        endReason: reason, detail: error.reason(dropped: dropped - min(dropped, 1)), events: writer.eventCount,
        lost: writer.lostEvents, dropped: writer.droppedEvents, bytes: writer.size, duration: duration, path: options.output)
    }
    return RecordingSummary(
      endReason: end.reason, detail: end.detail, events: writer.eventCount, lost: writer.lostEvents, dropped: writer.droppedEvents,
      startSize: writer.startSize, tailCut: writer.tailCut?.reason, bytes: writer.size, duration: duration, path: options.output)
  }
}
