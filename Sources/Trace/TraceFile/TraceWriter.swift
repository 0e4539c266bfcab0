import Glibc
public import TraceEvents
public import TraceFormat

/// Writes a trace file. Any thread may append; a thread of the writer's own encodes, compresses and writes.
///
/// An append copies the event into a buffer under one short lock, which also gives it its number and its time. Full buffers go through a
/// bounded queue: where the disk is too slow, appending waits, or loses events and says so (`Options.whenSlow`). A buffer that is not full is written
/// `Options.flushInterval` after its first event at the latest, so that no more than that is lost with the process.
@safe public final class TraceWriter: @unchecked Sendable {
  /// What becomes of events that come faster than they can be written.
  public enum SlowDisk: String, Sendable, CaseIterable {
    /// Whoever appends waits.
    case wait
    /// They are dropped and counted, and an events-lost event of `LossCause.recorderOverflow` stands where they are missing.
    case drop
  }

  /// How much of a recording's end is kept (`Options.last`).
  public enum Tail: Hashable, Sendable {
    /// The whole file takes at most this many bytes; `leastBytes` or more. What the protected pages held at its start is part of it, and is there whatever
    /// it takes.
    case bytes(UInt64)
    /// What happened in so many nanoseconds before the end, and a little more.
    case time(UInt64)

    public static let leastBytes: UInt64 = 1 << 16

    var limit: FlightTail.Limit {
      switch self {
      case .bytes(let bytes): .bytes(bytes)
      case .time(let time): .time(time)
      }
    }
  }

  public struct Options: Sendable {
    /// zstd compression level.
    public var level: Int32 = 3
    /// Overwrites a file that is there.
    public var force = false
    /// Events in a full block, 1 to 131,072.
    public var eventsPerBlock = 32_768
    /// Nanoseconds that an event may wait in memory; 0 for no limit, which makes the file depend on its events alone.
    public var flushInterval: UInt64 = 100_000_000
    /// Events from one keyframe to the next, at least.
    public var keyframeInterval = 500_000
    /// The file never grows past this many bytes. It ends in order before it would: with a session-end event of `EndReason.sizeCap`, index and
    /// seek table. Later events are dropped and counted (`failure`), and `finish` throws `sizeCap`. Must hold a header and that end: else `init` throws.
    public var maxSize: UInt64?
    public var whenSlow = SlowDisk.wait
    /// Keeps the end of the recording only, in memory until it is finished. Not together with `maxSize`.
    public var last: Tail?
    /// For tests.
    package var seam = OutputSeam()

    public init() {}
  }

  private let queue: WriterQueue
  private var thread = pthread_t()
  private var finished = false

  /// Creates the file, writes its header block and starts the writer's thread. `-` is standard output; it goes with neither a cap nor a tail, which
  /// take back what was written.
  public init(path: String, header: TraceHeader, options: Options = Options()) throws(TraceFileError) {
    precondition(header.vcpuCount >= 1 && header.vcpuCount <= TraceLimits.vcpus, "vCPU count")
    let sink = try BlockSink(path: path, header: header, options: options)
    queue = WriterQueue(KindTable(header), options)
    try sink.writeHeader()
    let start = unsafe Unmanaged.passRetained(ThreadStart(queue, sink))
    // SAFETY: the thread takes over the retained object; it is released here if there is no thread.
    let code = unsafe pthread_create(&thread, nil, { unsafe ThreadStart.run($0) }, start.toOpaque())
    guard code == 0 else {
      unsafe start.release()
      throw TraceFileError(.system, path: path, errno: code, detail: "cannot start the writer's thread")
    }
  }

  deinit { if !finished { join() } }

  private func join() {
    queue.finish()
    pthread_join(thread, nil)
    finished = true
  }

  /// Records an event that happens now, and returns its sequence number. `data` is copied; it holds at most 65,536 bytes.
  ///
  /// After a failure (`failure`) events still get numbers, but are dropped and counted. An event that is dropped because the disk is slow gets the
  /// number of the events-lost event that stands for it: a `cause` that names it stays meaningful.
  @discardableResult public func append(
    _ kind: EventKind, vcpu: UInt16, gpa: UInt64 = 0, rip: UInt64 = 0, cause: UInt64 = 0, a: UInt64 = 0, b: UInt64 = 0, c: UInt64 = 0, d: UInt64 = 0,
    data: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  ) -> UInt64 {
    unsafe queue.append(kind, vcpu: vcpu, time: nil, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: data)
  }

  /// Records an event with a time of the caller's, in nanoseconds since the session start: for traces that are made, not recorded. A time
  /// before the last event's becomes the last event's.
  @discardableResult public func append(
    _ kind: EventKind, vcpu: UInt16, time: UInt64, gpa: UInt64 = 0, rip: UInt64 = 0, cause: UInt64 = 0, a: UInt64 = 0, b: UInt64 = 0, c: UInt64 = 0,
    d: UInt64 = 0, data: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  ) -> UInt64 {
    unsafe queue.append(kind, vcpu: vcpu, time: time, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: data)
  }

  /// Records an event that happens now; its number and time are the writer's.
  @discardableResult public func append(_ event: Event) -> UInt64 {
    unsafe event.data.withUnsafeBytes { data in
      unsafe append(
        event.kind, vcpu: event.vcpu, gpa: event.gpa, rip: event.rip, cause: event.cause, a: event.a, b: event.b, c: event.c, d: event.d, data: data)
    }
  }

  /// Records an event with its own time; its number is the writer's.
  @discardableResult public func append(timed event: Event) -> UInt64 {
    unsafe event.data.withUnsafeBytes { data in
      unsafe append(
        event.kind, vcpu: event.vcpu, time: event.time, gpa: event.gpa, rip: event.rip, cause: event.cause, a: event.a, b: event.b, c: event.c,
        d: event.d, data: data)
    }
  }

  /// Records the session's end, now. Nothing follows it: what is appended later is ignored.
  public func appendEnd(_ reason: EndReason, _ detail: String) {
    queue.appendEnd(Event(.sessionEnd, vcpu: Event.host, a: reason.rawValue, data: Array(detail.utf8.prefix(TraceLimits.dataPerEvent))))
  }

  /// What stopped the writing, and how many events were dropped since; nil while all is well.
  public var failure: (error: TraceFileError, dropped: UInt64)? { queue.failure }

  /// Whether an append waits for the disk now, and a number that changes whenever one begins or ceases to: whoever waits for a thread that appends can
  /// tell that it waits itself.
  public var waits: (now: Bool, changes: UInt64) { queue.waits }

  /// Events that were dropped because the disk was too slow.
  public var lostEvents: UInt64 { queue.lostEvents }

  /// Events that were let go of before the first one in the file (`Options.last`), once it is finished.
  public var droppedEvents: UInt64 { queue.droppedBefore }

  /// Bytes of the file that say what the machine was like before its first event (`Options.last`), once it is finished.
  public var startSize: UInt64 { queue.startSize }

  /// What kept the file from holding all of the end that was to be kept (`Options.last`), once it is finished: a disk without room for it. The file then
  /// holds the newest part that fits; what did not is counted in `droppedEvents`.
  public var tailCut: TraceFileError? { queue.tailCut }

  /// Bytes written so far.
  public var size: UInt64 { queue.size }

  /// Events in the file, once it is finished.
  public var eventCount: UInt64 { queue.eventCount }

  /// Writes what is left, the index and the seek table, and closes. Throws what went wrong at any time. What is appended later is ignored.
  ///
  /// A file that met a full disk (`TraceFileError.isDiskFull`) or its size cap is complete all the same: it ends with a session-end event of that
  /// reason (`TraceFileError.endReason`) after the last event that there was room for.
  public func finish() throws(TraceFileError) {
    guard !finished else { return }
    join()
    if let failure { throw failure.error }
  }
}

/// What the writer's thread is given.
private final class ThreadStart {
  let queue: WriterQueue
  let sink: BlockSink

  init(_ queue: WriterQueue, _ sink: BlockSink) {
    self.queue = queue
    self.sink = sink
  }

  @unsafe static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // SAFETY: the argument is the object that `TraceWriter.init` retained for this thread.
    let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
    start.queue.drain(into: start.sink)
    return nil
  }
}
