/// What is kept of a variable's accesses, and why that is enough.
///
/// The question asked at an access f by thread t is whether some earlier conflicting access is not ordered before f. It may be answered from
/// a set that lacks an access a, if for every f that conflicts with a and has a unordered, some b in the set conflicts with f and is unordered
/// too. That is so
///
/// - for a write a, if a write b came later and a was ordered before b: were b ordered before f, then so were a. And b conflicts with f: whatever f
///   is, b is a write, and b's thread is not t, for then b, and with it a, would be ordered before f;
/// - for a read a, likewise, if a read or a write b came later and a was ordered before b: f conflicts with a, so f is a write, and conflicts with
///   b, be it read or write.
///
/// A write must be kept when a read follows that it is ordered before: reads do not conflict. The argument is the same for both semantics, as
/// "ordered before f" is transitive up to the edges f had when it was checked: every edge but the one that a read takes from the last write, which
/// is taken after the check. A read's own time is stamped after that edge, so that whoever knows the read knows the write.
///
/// So in the common case, where each access is ordered before the next, one write and one read are kept, as epochs. Accesses that are unordered
/// spill into sets. Dropping is allowed, never required: a set loses its ordered accesses when it is full, or all at a write that races with none.
struct Variable: BitwiseCopyable {
  /// The last write of all.
  var write = Clocks.Epoch.none
  /// The last read since a write that did not race with it, if it is to be kept.
  var read = Clocks.Epoch.none
  /// Further writes that are to be kept, in `AccessSets`.
  var writes: Int32 = 0
  var reads: Int32 = 0
  /// Under `shb`, what the last write's thread knew: with the write's epoch, a snapshot that each read receives.
  var body = ClockBody.empty
  /// Makes it 32 bytes, so that no variable lies in two cache lines.
  private var padding: UInt32 = 0
}

extension RaceDetector {
  /// Brings what is kept of a variable near. Called for a batch of events ahead of them, it lets the processor wait for many variables at once.
  public mutating func prefetch(_ variable: Int32) { prefetched &+= variables[variable].write.time }

  /// Whether the read is racy.
  public mutating func read(_ variable: Int32, by thread: Int32) -> Bool {
    let clock = clock(of: thread)
    var state = variables[variable]
    let seesWrite = clocks.isOrdered(state.write, before: clock)
    let isRacy = !seesWrite || (state.writes != 0 && !sets.allOrdered(state.writes, before: clock, clocks))
    // A write that is known needs no edge, but for the greatest time, which stands for many writes.
    if semantics == .shb, !seesWrite || state.write.time == .max { clocks.receive(Clocks.Snapshot(state.write, state.body), in: clock) }
    let epoch = clocks.epoch(of: clock)
    if state.read == epoch { return isRacy }
    if !clocks.isOrdered(state.read, before: clock) {
      sets.insert(state.read, into: &state.reads, dropping: clock, clocks)
      variables[variable].reads = state.reads
    }
    variables[variable].read = epoch
    return isRacy
  }

  /// Whether the write is racy.
  public mutating func write(_ variable: Int32, by thread: Int32) -> Bool {
    let clock = clock(of: thread)
    var state = variables[variable]
    let epoch = clocks.epoch(of: clock)
    let seesWrite = clocks.isOrdered(state.write, before: clock)
    var isRacy = !seesWrite || !clocks.isOrdered(state.read, before: clock)
    if !isRacy, state.writes | state.reads != 0 {
      isRacy = !sets.allOrdered(state.writes, before: clock, clocks) || !sets.allOrdered(state.reads, before: clock, clocks)
      if !isRacy {
        sets.free(&state.writes)
        sets.free(&state.reads)
      }
    }
    if !isRacy {
      state.read = .none
    } else if !seesWrite {
      sets.insert(state.write, into: &state.writes, dropping: clock, clocks)
    }
    state.write = epoch
    if semantics == .shb {
      let snapshot = clocks.snapshot(of: clock)
      clocks.release(Clocks.Snapshot(epoch, state.body))
      state.body = snapshot.body
    }
    variables[variable] = state
    return isRacy
  }
}
