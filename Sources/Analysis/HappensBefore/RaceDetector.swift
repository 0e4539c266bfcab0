/// Finds every racy event of a trace, in one pass: reads and writes of variables by threads, ordered by locks, forks, joins and messages.
///
/// An access is racy if an earlier access conflicts with it (same variable, another thread, at least one of the two a write) and is not ordered
/// before it. What is ordered:
///
/// - each thread's events, as they come;
/// - a release, before every later acquire of its lock, whether or not its thread ever acquired it;
/// - a fork, before every later event of the thread it names and every later join of it: forking a thread that already runs orders what it does
///   from then on, forking it again adds to that, and a thread that never does anything passes on what its forks brought, like a message;
/// - every earlier event of a thread, before a join of it, be it the thread's end or not;
/// - a send, before every later receive of its message.
///
/// A thread that forks or joins itself gains nothing by it. Under `shb` the last write of a variable is also ordered before each read of it,
/// and a read is checked before it takes that edge: the second race of a trace can be an artifact of the first under `hb`, but not there.
///
/// Ids are chosen by the caller, counted up from 0, for each sort on its own: memory grows with the greatest id. A thread takes a clock only with
/// the first event of its own. Source: Mathur, Kini, Viswanathan, "What Happens-After the First Race?", OOPSLA 2018, Algorithm 1.
public struct RaceDetector: ~Copyable {
  public enum Semantics: String, Sendable, CaseIterable {
    /// Happens-before, as in DJIT+ and FastTrack.
    case hb
    /// Schedulable happens-before: every race it finds can strike.
    case shb
  }

  // Not private because 6.3.1, optimizing, then fails in every package that has a detector: the code that destroys one asks for the private type.
  struct Thread: BitwiseCopyable {
    /// Its number in the clocks, -1 before its first event.
    var clock: Int32 = -1
    /// Before its first event: what its forks told it.
    var inherited = Clocks.Snapshot.empty
  }

  public let semantics: Semantics
  var clocks: Clocks
  private var threads = GrowingTable(repeating: Thread())
  private var locks = GrowingTable(repeating: Clocks.Snapshot.empty)
  private var messages = GrowingTable(repeating: Clocks.Snapshot.empty)
  var variables = GrowingTable(repeating: Variable())
  var sets = AccessSets()
  /// Of no meaning: a load that leads to nothing would be left out.
  var prefetched: UInt32 = 0

  public init(_ semantics: Semantics) { self.init(semantics, firstTime: 1) }

  /// Times that start near their end let tests see what happens there.
  package init(_ semantics: Semantics, firstTime: UInt32) {
    self.semantics = semantics
    clocks = Clocks(firstTime: firstTime)
  }

  /// Threads that had an event of their own.
  public var clockCount: Int { clocks.threadCount }

  /// The thread's number in the clocks; from its first event on it has one.
  @inline(__always)
  mutating func clock(of thread: Int32) -> Int32 {
    let clock = threads[thread].clock
    return clock >= 0 ? clock : start(thread)
  }

  @inline(never)
  private mutating func start(_ thread: Int32) -> Int32 {
    let clock = clocks.addThread()
    let inherited = threads[thread].inherited
    threads[thread] = Thread(clock: clock)
    clocks.receive(inherited, in: clock)
    clocks.release(inherited)
    return clock
  }

  // MARK: Events that order

  public mutating func acquire(_ lock: Int32, by thread: Int32) {
    let clock = clock(of: thread)
    clocks.receive(locks[lock], in: clock)
  }

  public mutating func release(_ lock: Int32, by thread: Int32) {
    let clock = clock(of: thread)
    clocks.publish(clock, into: &locks[lock])
  }

  public mutating func send(_ message: Int32, by thread: Int32) {
    let clock = clock(of: thread)
    clocks.publish(clock, into: &messages[message])
  }

  public mutating func receive(_ message: Int32, by thread: Int32) {
    let clock = clock(of: thread)
    clocks.receive(messages[message], in: clock)
  }

  /// Takes a message back: its number is free for another one.
  public mutating func forget(message: Int32) {
    clocks.release(messages[message])
    messages[message] = .empty
  }

  public mutating func fork(_ child: Int32, by thread: Int32) {
    let clock = clock(of: thread)
    let childClock = threads[child].clock
    guard childClock >= 0 else {
      clocks.publish(clock, into: &threads[child].inherited)
      return
    }
    let snapshot = clocks.snapshot(of: clock)
    clocks.receive(snapshot, in: childClock)
    clocks.release(snapshot)
  }

  public mutating func join(_ child: Int32, by thread: Int32) {
    let clock = clock(of: thread)
    let childClock = threads[child].clock
    guard childClock >= 0 else {
      clocks.receive(threads[child].inherited, in: clock)
      return
    }
    let snapshot = clocks.snapshot(of: childClock)
    clocks.receive(snapshot, in: clock)
    clocks.release(snapshot)
  }
}
