/// Vector clocks of threads: who knows of whose past.
///
/// Each thread has a time of its own and a body, what it knows of the others' times. An access is stamped with an `Epoch`; it happened before
/// whatever a thread does next exactly if that thread knows its epoch. Knowledge travels in snapshots: a release, a fork, a message takes one
/// (O(1): the body is shared, not copied), an acquire, a thread's start, a delivery receives it.
///
/// A thread's time advances lazily: with the first access, or the first news, after a snapshot. So a time that somebody was told stands for
/// one past and one body, and whoever knows a thread's time knows that body too: receiving what is known already costs one comparison. It works the
/// other way round as well: whoever knows the time at which the receiver last learned something, or whose body the receiver took over whole, knows all
/// that the receiver does, and what it sends is simply taken over.
///
/// Times are 32 bits and stick at the greatest. From there on an access can look ordered that is not; nothing looks unordered that is.
///
/// Memory is managed by hand, and none of it is handed out. Snapshots are owned by the caller: each must be released once.
@safe public struct Clocks: ~Copyable {
  /// A moment in a thread's time, as accesses are stamped with it.
  public struct Epoch: BitwiseCopyable, Hashable, Sendable {
    public var thread: Int32
    public var time: UInt32

    @inlinable
    public init(thread: Int32, time: UInt32) {
      self.thread = thread
      self.time = time
    }

    /// No access: ordered before everything.
    @inlinable public static var none: Epoch { Epoch(thread: 0, time: 0) }
    @inlinable public var isNone: Bool { time == 0 }
  }

  /// What had happened before some moment; owned by whoever holds it.
  public struct Snapshot: BitwiseCopyable, Sendable {
    /// Whose past this is, and when; no thread's where several were joined.
    @usableFromInline var epoch: Epoch
    @usableFromInline var body: ClockBody
    /// Who knew just what `body` says, and when; none where that is nobody but the sender.
    @usableFromInline var origin: Epoch

    @inlinable
    init(_ epoch: Epoch, _ body: ClockBody, origin: Epoch = .none) {
      self.epoch = epoch
      self.body = body
      self.origin = origin
    }

    /// Whose past this is, and when; none where it is that of several.
    @inlinable public var sender: Epoch { epoch }

    /// Nothing happened before; needs no release.
    @inlinable public static var empty: Snapshot { Snapshot(.none, .empty) }
    @inlinable public var isEmpty: Bool { epoch.isNone && body.isEmpty }
  }

  @usableFromInline
  struct Thread: BitwiseCopyable {
    @usableFromInline var time: UInt32
    /// Somebody was told this time: what happens next needs a later one.
    @usableFromInline var isTold: Bool
    @usableFromInline var body: ClockBody
    /// The time at which it last learned something: whoever knows that time knows its body.
    @usableFromInline var learned: UInt32 = 0
    /// Whose body this is, and from when, where it was taken over as it is and nothing came to it since: whoever knows that epoch knows it too.
    @usableFromInline var origin = Epoch.none
  }

  /// `capacity` threads, of which the first `threadCount` are initialised.
  @usableFromInline var threads: UnsafeMutablePointer<Thread>
  private var capacity = 16
  public private(set) var threadCount = 0
  @usableFromInline var nodes = ClockNodes()
  private let firstTime: UInt32

  public init() { self.init(firstTime: 1) }

  /// Times that start near their end let tests see what happens there.
  package init(firstTime: UInt32) {
    self.firstTime = max(1, firstTime)
    unsafe threads = .allocate(capacity: capacity)
  }

  deinit { unsafe threads.deallocate() }

  /// Nodes in use of the store behind all bodies: a measure of memory, 132 bytes each.
  package var nodeCount: Int { nodes.liveCount }

  // MARK: Threads

  /// A new thread that knows nothing; its number is the count of threads before it.
  public mutating func addThread() -> Int32 {
    precondition(threadCount < Int(Int32.max))
    if threadCount == capacity {
      let larger = UnsafeMutablePointer<Thread>.allocate(capacity: 2 * capacity)
      // SAFETY: as many as there are, into twice the room.
      unsafe larger.initialize(from: threads, count: threadCount)
      unsafe threads.deallocate()
      unsafe threads = larger
      capacity *= 2
    }
    // SAFETY: there is room for one more now.
    unsafe (threads + threadCount).initialize(to: Thread(time: firstTime, isTold: false, body: .empty))
    threadCount += 1
    return Int32(threadCount - 1)
  }

  @inlinable
  subscript(thread: Int32) -> Thread {
    // SAFETY: the number is checked.
    @inline(__always) get {
      precondition(thread >= 0 && Int(thread) < threadCount)
      return unsafe threads[Int(thread)]
    }
    @inline(__always) nonmutating _modify {
      precondition(thread >= 0 && Int(thread) < threadCount)
      yield unsafe &threads[Int(thread)]
    }
  }

  // MARK: Accesses

  /// The epoch of an access that the thread makes now: later than all that was told of it.
  @inlinable
  @inline(__always)
  public mutating func epoch(of thread: Int32) -> Epoch {
    if self[thread].isTold { advance(thread) }
    return Epoch(thread: thread, time: self[thread].time)
  }

  /// The epoch of what the thread did so far.
  @inlinable
  public func lastEpoch(of thread: Int32) -> Epoch { Epoch(thread: thread, time: self[thread].time) }

  /// Whether what the epoch stands for happened before whatever the thread does next: its own past, or known to it.
  @inlinable
  @inline(__always)
  public func isOrdered(_ epoch: Epoch, before thread: Int32) -> Bool {
    epoch.thread == thread || nodes.time(of: epoch.thread, in: self[thread].body) >= epoch.time
  }

  /// Writes down the times of the first threads as far as a thread knows them, all of its own: for whoever asks often while the thread learns nothing.
  @unsafe public func copyTimes(knownTo thread: Int32, into times: UnsafeMutableBufferPointer<UInt32>) {
    unsafe nodes.copyTimes(in: self[thread].body, into: times)
    if times.indices.contains(Int(thread)) { unsafe times[Int(thread)] = .max }
  }

  /// Whether what the epoch stands for happened before the snapshot.
  @inlinable
  public func isOrdered(_ epoch: Epoch, before snapshot: Snapshot) -> Bool {
    (epoch.thread == snapshot.epoch.thread && epoch.time <= snapshot.epoch.time)
      || nodes.time(of: epoch.thread, in: snapshot.body) >= epoch.time
  }

  @usableFromInline
  mutating func advance(_ thread: Int32) {
    self[thread].isTold = false
    if self[thread].time < .max { self[thread].time += 1 }
  }

  // MARK: Snapshots

  /// What has happened so far in the thread and before: for a release, a fork, a message.
  public mutating func snapshot(of thread: Int32) -> Snapshot {
    self[thread].isTold = true
    let state = self[thread]
    nodes.retain(state.body)
    return Snapshot(Epoch(thread: thread, time: state.time), state.body, origin: state.origin)
  }

  /// The same, for more than one receiver: the thread's own time is put into the body once, so that whoever knows nothing else takes the body as it is.
  public mutating func broadcast(of thread: Int32) -> Snapshot {
    let state = self[thread]
    if nodes.time(of: thread, in: state.body) < state.time {
      self[thread].body = nodes.raise(state.body, thread, to: state.time)
      self[thread].origin = .none
    }
    return snapshot(of: thread)
  }

  /// From now on, what the snapshot holds happened before what the thread does: for an acquire, a start, a delivery, a join. The snapshot stays.
  public mutating func receive(_ snapshot: Snapshot, in thread: Int32) {
    let epoch = snapshot.epoch
    if epoch.isNone {
      if snapshot.body.isEmpty { return }
    } else if epoch.thread == thread || (epoch.time != .max && isOrdered(epoch, before: thread)) {
      // At the greatest time one epoch stands for many bodies: there the shortcut would lose edges, and invent races.
      return
    }
    if self[thread].isTold { advance(thread) }
    // SAFETY: `self[thread]` checked the number, and no thread is added meanwhile.
    let own = unsafe threads + Int(thread)
    let mine = unsafe own.pointee.body
    if mine == snapshot.body || isKnown(snapshot.origin, to: thread) {
      // News of the sender alone.
      unsafe own.pointee.origin = .none
      unsafe own.pointee.learned = own.pointee.time
      if !epoch.isNone { unsafe own.pointee.body = nodes.raise(mine, epoch.thread, to: epoch.time) }
      return
    }
    var body = snapshot.body
    if unsafe contains(body, allOf: own.pointee, of: thread) {
      nodes.retain(body)
      nodes.release(mine)
      unsafe own.pointee.origin = epoch.time != .max ? epoch : .none
    } else {
      body = nodes.join(mine, body)
      unsafe own.pointee.origin = .none
    }
    unsafe own.pointee.learned = own.pointee.time
    if !epoch.isNone, nodes.time(of: epoch.thread, in: body) < epoch.time { body = nodes.raise(body, epoch.thread, to: epoch.time) }
    unsafe own.pointee.body = body
  }

  @inline(__always)
  private func isKnown(_ origin: Epoch, to thread: Int32) -> Bool { !origin.isNone && isOrdered(origin, before: thread) }

  /// Whether a body that somebody sent surely holds all that a thread knows.
  @inline(__always)
  private func contains(_ body: ClockBody, allOf state: Thread, of thread: Int32) -> Bool {
    if state.time != .max, nodes.time(of: thread, in: body) >= state.learned { return true }
    return !state.origin.isNone && nodes.time(of: state.origin.thread, in: body) >= state.origin.time
  }

  public mutating func retain(_ snapshot: Snapshot) { nodes.retain(snapshot.body) }

  public mutating func release(_ snapshot: Snapshot) { nodes.release(snapshot.body) }

  /// Adds what has happened so far in the thread to what a snapshot holds: a release of a lock, one more sender of a message.
  public mutating func publish(_ thread: Int32, into snapshot: inout Snapshot) {
    let own = self.snapshot(of: thread)
    join(own, into: &snapshot)
    release(own)
  }

  /// Puts what another snapshot holds into `snapshot`: several senders of one message. The other one stays.
  public mutating func join(_ other: Snapshot, into snapshot: inout Snapshot) {
    if covers(snapshot, other) { return }
    if covers(other, snapshot) { return replace(&snapshot, with: other) }
    nodes.retain(other.body)
    var body = nodes.join(other.body, snapshot.body)
    if snapshot.epoch.isNone, body == other.body {
      nodes.release(body)
      return replace(&snapshot, with: other)
    }
    if !snapshot.epoch.isNone { body = nodes.raise(body, snapshot.epoch.thread, to: snapshot.epoch.time) }
    if !other.epoch.isNone { body = nodes.raise(body, other.epoch.thread, to: other.epoch.time) }
    release(snapshot)
    snapshot = Snapshot(.none, body)
  }

  private mutating func replace(_ snapshot: inout Snapshot, with other: Snapshot) {
    retain(other)
    release(snapshot)
    snapshot = other
  }

  /// Whether one snapshot surely holds all that another does; true only by epoch, or where the other is empty.
  private func covers(_ one: Snapshot, _ other: Snapshot) -> Bool {
    if other.isEmpty { return true }
    return !other.epoch.isNone && other.epoch.time != .max && isOrdered(other.epoch, before: one)
  }
}
