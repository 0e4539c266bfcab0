import CFiles
import Glibc
public import TraceFormat

/// Reads a trace from where its reader stands to the end, a few batches ahead of whoever takes them, on a thread of its own.
///
/// It gives what the reader would give, in the same order: with each batch the damage that was known once that batch was read. The reader
/// belongs to it until `nextBatch` gave nil. Memory is that of three batches, whatever the trace. Where this process may use one CPU only,
/// there is no second thread, and a batch is read when it is asked for.
@safe public final class PrefetchingReader {
  /// What the reader had found to be damaged when it had read the batch in hand; after the last one, all of it.
  public private(set) var damage: [DamageReport]

  private static let batchCount = 3
  private let reader: TraceReader
  private let queue = BatchQueue()
  private var thread: pthread_t?
  private var current: EventBatch?

  /// `isThreaded` false reads without a second thread; nil lets the number of CPUs decide.
  public init(_ reader: TraceReader, isThreaded: Bool? = nil) {
    self.reader = reader
    damage = reader.damage
    guard isThreaded ?? (cfiles_cpu_count() > 1) else { return }
    for _ in 0..<Self.batchCount { queue.giveBack(EventBatch()) }
    let start = unsafe Unmanaged.passRetained(PrefetchStart(reader, queue))
    var thread = pthread_t()
    // SAFETY: the thread takes over the retained object; it is released here if there is no thread. Without one, reading takes longer.
    if unsafe pthread_create(&thread, nil, { unsafe PrefetchStart.run($0) }, start.toOpaque()) == 0 {
      self.thread = thread
    } else {
      unsafe start.release()
    }
  }

  deinit { stop() }

  /// Reads no further: the reader is free again, wherever it stands.
  public func stop() {
    guard let thread else { return }
    queue.close()
    pthread_join(thread, nil)
    self.thread = nil
  }

  /// The next batch, valid until the next call; nil at the end.
  public func nextBatch() -> EventBatch? {
    guard thread != nil else {
      let batch = current ?? EventBatch()
      current = batch
      defer { damage = reader.damage }
      return reader.nextBatch(into: batch) ? batch : nil
    }
    if let current { queue.giveBack(current) }
    current = nil
    guard let read = queue.takeRead() else {
      stop()
      damage = reader.damage
      return nil
    }
    (current, damage) = (read.batch, read.damage)
    return read.batch
  }
}

/// The batches that were read and not taken yet, and those to read into.
@safe private final class BatchQueue: @unchecked Sendable {
  typealias Read = (batch: EventBatch, damage: [DamageReport])

  // All of these are guarded by `lock`.
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var read: [Read] = []
  private var free: [EventBatch] = []
  private var hasEnded = false
  private var isClosed = false

  init() {
    unsafe lock = .allocate(capacity: 1)
    unsafe changed = .allocate(capacity: 1)
    // SAFETY: initialized once here and destroyed once in `deinit`, when nobody else holds the object any more.
    unsafe pthread_mutex_init(lock, nil)
    unsafe pthread_cond_init(changed, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(lock)
    unsafe changed.deallocate()
    unsafe lock.deallocate()
  }

  /// Waits until `isReady`, then gives what `take` does, under the lock all the while.
  private func wait<Result>(until isReady: () -> Bool, _ take: () -> Result) -> Result {
    // SAFETY: condition and mutex live as long as the object.
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    while !isReady() { unsafe pthread_cond_wait(changed, lock) }
    return take()
  }

  private func change(_ body: () -> Void) {
    unsafe pthread_mutex_lock(lock)
    defer { unsafe pthread_mutex_unlock(lock) }
    body()
    unsafe pthread_cond_signal(changed)
  }

  func giveBack(_ batch: EventBatch) { change { free.append(batch) } }
  func put(_ batch: EventBatch, _ damage: [DamageReport]) { change { read.append((batch, damage)) } }
  func end() { change { hasEnded = true } }
  func close() { change { isClosed = true } }

  /// A batch to read into; nil once nobody wants any more.
  func takeFree() -> EventBatch? {
    wait(until: { isClosed || !free.isEmpty }) { isClosed ? nil : free.removeLast() }
  }

  /// The oldest batch that was read; nil at the end.
  func takeRead() -> Read? {
    wait(until: { hasEnded || !read.isEmpty }) { read.isEmpty ? nil : read.removeFirst() }
  }
}

private final class PrefetchStart {
  let reader: TraceReader
  let queue: BatchQueue

  init(_ reader: TraceReader, _ queue: BatchQueue) {
    self.reader = reader
    self.queue = queue
  }

  @unsafe static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // SAFETY: the argument is the object that `PrefetchingReader.init` retained for this thread.
    let start = unsafe Unmanaged<PrefetchStart>.fromOpaque(argument!).takeRetainedValue()
    _ = unsafe cfiles_name_thread("pagetape-read")
    while let batch = start.queue.takeFree() {
      guard start.reader.nextBatch(into: batch) else {
        start.queue.end()
        break
      }
      start.queue.put(batch, start.reader.damage)
    }
    return nil
  }
}
