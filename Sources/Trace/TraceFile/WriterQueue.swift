import Glibc
import TraceEvents
import TraceFormat

/// What appending threads and the writer's thread share: the buffer being filled, the full ones waiting and the empty ones.
@safe final class WriterQueue: @unchecked Sendable {
  static let bufferCount = 4

  // All of these are guarded by `lock`.
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var current: EventRows
  private var full: [EventRows] = []
  private var free: [EventRows] = []
  private var lastTime: UInt64 = 0
  /// Clock at the first append to `current`.
  private var pendingSince: UInt64 = 0
  private var finishing = false
  /// The last event was appended: whoever still comes is late.
  private var isClosed = false
  private var error: TraceFileError?
  private var dropped: UInt64 = 0
  private var endAppended = false
  /// Events that found every buffer full, since the last one that did not; and all of them.
  private var overflow: UInt64 = 0
  private var lost: UInt64 = 0
  /// Appends that wait for an empty buffer, and how often one began or ceased to.
  private var waiting = 0
  private var waitChanges: UInt64 = 0
  private var written: UInt64 = 0
  private var kept: UInt64 = 0
  private var letGo: UInt64 = 0
  private var before: UInt64 = 0
  private var cut: TraceFileError?

  private let whenSlow: TraceWriter.SlowDisk
  private let flushInterval: UInt64
  private let start: UInt64
  private let listed: [Bool]

  init(_ table: KindTable, _ options: TraceWriter.Options) {
    func rows() -> EventRows { EventRows(capacity: options.eventsPerBlock, dataCapacity: 2 << 20) }
    current = rows()
    for _ in 1..<Self.bufferCount { free.append(rows()) }
    whenSlow = options.whenSlow
    flushInterval = options.flushInterval
    listed = (0..<256).map { table.lists(EventKind(rawValue: UInt8($0))) }
    start = Self.now()
    unsafe lock = .allocate(capacity: 1)
    unsafe changed = .allocate(capacity: 1)
    // SAFETY: initialized once here and destroyed once in `deinit`, when nobody else holds the object any more.
    unsafe pthread_mutex_init(lock, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(changed, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(lock)
    unsafe changed.deallocate()
    unsafe lock.deallocate()
  }

  private static func now() -> UInt64 {
    var time = timespec()
    // SAFETY: the structure is ours.
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  /// Runs `body` under the lock.
  private func locked<Result>(_ body: () -> Result) -> Result {
    // SAFETY: the mutex lives as long as the object.
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    return body()
  }

  // MARK: Appending threads

  /// Copies one event in and returns its number. `time` nil: now. While every buffer is full it waits, or drops the event: dropped events share the
  /// number of the events-lost event that will stand for them.
  @inline(__always) func append(
    _ kind: EventKind, vcpu: UInt16, time: UInt64?, gpa: UInt64, rip: UInt64, cause: UInt64, a: UInt64, b: UInt64, c: UInt64, d: UInt64,
    data: UnsafeRawBufferPointer
  ) -> UInt64 {
    precondition(data.count <= TraceLimits.dataPerEvent && listed[Int(kind.rawValue)], "an event that the format can hold")
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    let waits = whenSlow == .wait || kind == .sessionEnd
    if isClosed { return nextSeq }
    guard (overflow == 0 || recordOverflow(waits: waits)) && makeRoom(data.count, waits: waits) else {
      overflow += 1
      lost += 1
      return nextSeq
    }
    // It may have waited.
    if isClosed { return nextSeq }
    let stamp = stamp(time)
    let seq = nextSeq
    endAppended = kind == .sessionEnd
    unsafe current.append(kind, vcpu: vcpu, time: stamp, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: data)
    return seq
  }

  func appendEnd(_ event: Event) {
    locked {
      if overflow > 0 { _ = recordOverflow(waits: true) }
      _ = makeRoom(event.data.count, waits: true)
      var event = event
      event.time = stamp(nil)
      current.append(event)
      (endAppended, isClosed) = (true, true)
    }
  }

  /// Called under the lock, as all that follow up to `rotate`.
  private var nextSeq: UInt64 { current.firstSeq &+ UInt64(current.count) }

  private func stamp(_ time: UInt64?) -> UInt64 {
    let stamp = max(time ?? Self.now() &- start, lastTime)
    lastTime = stamp
    if current.count == 0 { pendingSince = time == nil ? stamp &+ start : Self.now() }
    return stamp
  }

  /// Says in the trace how many events are missing where the hole is; false where there is no room for that either.
  private func recordOverflow(waits: Bool) -> Bool {
    guard makeRoom(0, waits: waits) else { return false }
    current.append(
      Event(.eventsLost, vcpu: Event.host, time: stamp(max(lastTime, current.times.upperBound)), a: overflow, b: LossCause.recorderOverflow.rawValue))
    overflow = 0
    return true
  }

  /// Sees to it that the current buffer has room: where it has none, hands it over and takes an empty one. Where there is none it waits for one, or
  /// gives false.
  private func makeRoom(_ dataCount: Int, waits: Bool) -> Bool {
    while !current.hasRoom(forData: dataCount) {
      if !free.isEmpty {
        rotate()
      } else if waits {
        (waiting, waitChanges) = (waiting + 1, waitChanges + 1)
        // SAFETY: condition and mutex live as long as the object, and the mutex is held.
        unsafe pthread_cond_wait(changed, lock)
        (waiting, waitChanges) = (waiting - 1, waitChanges + 1)
      } else {
        return false
      }
    }
    return true
  }

  /// Queues the current buffer and puts an empty one in its place; there must be one.
  private func rotate() {
    let next = free.removeLast()
    next.removeAll()
    next.firstSeq = current.firstSeq + UInt64(current.count)
    full.append(current)
    current = next
    unsafe pthread_cond_broadcast(changed)
  }

  /// What went wrong, and how many events were appended in vain since.
  var failure: (error: TraceFileError, dropped: UInt64)? { locked { error.map { ($0, dropped) } } }

  /// Whether an append waits for an empty buffer, and a number that changes whenever one begins or ceases to.
  var waits: (now: Bool, changes: UInt64) { locked { (waiting > 0, waitChanges) } }

  /// Bytes in the file so far.
  var size: UInt64 { locked { written } }

  /// Events that were dropped because the disk was too slow.
  var lostEvents: UInt64 { locked { lost } }

  /// Events before the first one in the file, once it is finished.
  var droppedBefore: UInt64 { locked { letGo } }

  /// Bytes of the state before that one, once it is finished.
  var startSize: UInt64 { locked { before } }

  /// Why less of the tail is in the file than was asked for, once it is finished.
  var tailCut: TraceFileError? { locked { cut } }

  /// Events in the file, once it is finished.
  var eventCount: UInt64 { locked { kept } }

  /// No more events: the thread writes what is left and ends.
  func finish() {
    locked {
      if overflow > 0 { _ = recordOverflow(waits: true) }
      (finishing, isClosed) = (true, true)
      unsafe pthread_cond_broadcast(changed)
    }
  }

  // MARK: The writer's thread

  /// Writes everything that is queued until `finish`, then index and seek table.
  func drain(into sink: BlockSink) {
    while let rows = take() {
      let end = rows.firstSeq + UInt64(rows.count)
      if failure == nil {
        do throws(TraceFileError) { try sink.write(rows) } catch { fail(error) }
      }
      // Of a block that reached the size cap, the first events may be in the file.
      release(rows, dropping: end - max(rows.firstSeq, min(sink.nextSeq, end)), size: sink.size)
    }
    end(sink)
    locked { (written, kept, letGo, before, cut) = (sink.size, sink.eventCount, sink.droppedBefore, UInt64(sink.startSize), sink.tailCut) }
  }

  /// Ends the file, in order if at all possible: a disk that is full only now is an end like another.
  private func end(_ sink: BlockSink) {
    do throws(TraceFileError) {
      if let failure, let reason = failure.error.endReason { return try end(sink, failure, reason) }
      try sink.finish()
    } catch {
      fail(error)
      guard error.isDiskFull, let failure, failure.error == error else { return }
      do throws(TraceFileError) { try end(sink, failure, .diskFull) } catch {}
    }
  }

  private func end(_ sink: BlockSink, _ failure: (error: TraceFileError, dropped: UInt64), _ reason: EndReason) throws(TraceFileError) {
    let givenUp = try sink.finish(endingFor: failure.error, reason, dropped: failure.dropped, replacesEnd: locked { endAppended })
    locked { self.dropped += givenUp }
  }

  private func fail(_ error: TraceFileError) {
    locked {
      // A cap is an orderly end; what goes wrong after it is not. A disk that is full already stays what it was.
      if self.error == nil || self.error?.code == .sizeCap { self.error = error }
    }
  }

  private func release(_ rows: EventRows, dropping count: UInt64, size: UInt64) {
    locked {
      dropped += count
      written = size
      free.append(rows)
      unsafe pthread_cond_broadcast(changed)
    }
  }

  /// The next buffer to write; nil after the last one.
  private func take() -> EventRows? {
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    while true {
      if !full.isEmpty { return full.removeFirst() }
      // Only this thread empties `full`, and it holds no buffer now: one is free.
      if finishing {
        guard current.count > 0 else { return nil }
        rotate()
        continue
      }
      guard flushInterval > 0 else {
        unsafe pthread_cond_wait(changed, lock)
        continue
      }
      let due = (current.count > 0 ? pendingSince : Self.now()) &+ flushInterval / 2
      if current.count > 0, Self.now() >= due { rotate() } else { wait(until: due) }
    }
  }

  private func wait(until due: UInt64) {
    var time = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
    unsafe pthread_cond_timedwait(changed, lock, &time)
  }
}
