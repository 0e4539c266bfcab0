/// Sets of accesses to one variable, for the variables whose accesses are not all ordered: at most one access a thread, sorted by thread.
///
/// A set is named by a number that its variable keeps; 0 is the empty set, which is all that most variables ever have.
@safe struct AccessSets: ~Copyable {
  @safe private struct Header: BitwiseCopyable {
    /// `capacity` epochs, of which `count` are initialised; a hole in the table has none.
    var base: UnsafeMutablePointer<Clocks.Epoch>?
    var count: Int32
    var capacity: Int32
    /// Where the last search found an unordered access: the next one looks there first. In a hole, the next hole.
    var hint: Int32
  }

  private static let firstCapacity: Int32 = 4

  private var headers = GrowingTable(repeating: unsafe Header(base: nil, count: 0, capacity: 0, hint: 0))
  private var used: Int32 = 1
  private var firstHole: Int32 = 0

  init() {}

  deinit {
    // SAFETY: each set's memory is its own.
    for number in 0..<used { unsafe headers.peek(number).base?.deallocate() }
  }

  /// Whether every access of the set happened before whatever the thread does next.
  mutating func allOrdered(_ set: Int32, before thread: Int32, _ clocks: borrowing Clocks) -> Bool {
    guard set != 0, let base = unsafe headers[set].base else { return true }
    let (count, hint) = (headers[set].count, headers[set].hint)
    // SAFETY: indices are below the count.
    if hint < count, unsafe !clocks.isOrdered(base[Int(hint)], before: thread) { return false }
    for index in 0..<Int(count) where unsafe !clocks.isOrdered(base[index], before: thread) {
      headers[set].hint = Int32(index)
      return false
    }
    return true
  }

  /// Puts an access into a set, in the place of an earlier one by the same thread. A set that is full first loses what happened before whatever
  /// `thread`, which makes an access that outlives those, does next.
  mutating func insert(_ access: Clocks.Epoch, into set: inout Int32, dropping thread: Int32, _ clocks: borrowing Clocks) {
    if set == 0 { set = make() }
    var at = place(of: access.thread, in: set)
    // SAFETY: `at` is at most the count, and below it where it is read; there is room for one more where one is put in.
    if at < headers[set].count, unsafe headers[set].base.unsafelyUnwrapped[Int(at)].thread == access.thread {
      unsafe headers[set].base.unsafelyUnwrapped[Int(at)] = access
      return
    }
    if headers[set].count == headers[set].capacity {
      prune(set, before: thread, clocks)
      at = place(of: access.thread, in: set)
    }
    let base = unsafe headers[set].base.unsafelyUnwrapped
    for index in stride(from: Int(headers[set].count), to: Int(at), by: -1) { unsafe base[index] = unsafe base[index - 1] }
    unsafe base[Int(at)] = access
    headers[set].count += 1
  }

  /// Empties a set, and gives its memory back.
  mutating func free(_ set: inout Int32) {
    guard set != 0 else { return }
    unsafe headers[set].base?.deallocate()
    unsafe headers[set] = Header(base: nil, count: 0, capacity: 0, hint: firstHole)
    firstHole = set
    set = 0
  }

  private mutating func make() -> Int32 {
    var set = firstHole
    if set != 0 {
      firstHole = headers[set].hint
    } else {
      set = used
      used += 1
    }
    let base = UnsafeMutablePointer<Clocks.Epoch>.allocate(capacity: Int(Self.firstCapacity))
    unsafe headers[set] = Header(base: base, count: 0, capacity: Self.firstCapacity, hint: 0)
    return set
  }

  /// The index of the first access of a thread whose number is not lower.
  private mutating func place(of thread: Int32, in set: Int32) -> Int32 {
    guard let base = unsafe headers[set].base else { return 0 }
    var low: Int32 = 0
    var high = headers[set].count
    while low < high {
      let middle = (low + high) / 2
      // SAFETY: `middle` is below the count.
      if unsafe base[Int(middle)].thread < thread { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Drops what is ordered; where that leaves more than half, makes room for twice as many. So the work is paid for by the insertions before it.
  private mutating func prune(_ set: Int32, before thread: Int32, _ clocks: borrowing Clocks) {
    guard let base = unsafe headers[set].base else { return }
    let (count, capacity) = (headers[set].count, headers[set].capacity)
    var kept = 0
    // SAFETY: `kept` never passes `index`, which is below the count; the larger memory holds all that is moved.
    for index in 0..<Int(count) where unsafe !clocks.isOrdered(base[index], before: thread) {
      unsafe base[kept] = unsafe base[index]
      kept += 1
    }
    headers[set].count = Int32(kept)
    headers[set].hint = 0
    guard kept > Int(capacity) / 2 else { return }
    let larger = UnsafeMutablePointer<Clocks.Epoch>.allocate(capacity: 2 * Int(capacity))
    unsafe larger.initialize(from: base, count: kept)
    unsafe base.deallocate()
    unsafe headers[set].base = larger
    headers[set].capacity = 2 * capacity
  }
}
