/// Sets of accesses to one variable, for the variables whose accesses are not all ordered: at most four times as many as there are threads.
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
  /// By thread, while a set is pruned: where its last access is.
  private var lastIndex = GrowingTable<Int32>(repeating: 0)
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

  /// Puts an access into a set. A set that is full first loses what is ordered before whatever `thread` does next: `thread` has just made an
  /// access that is kept, and stands in for those.
  mutating func insert(_ access: Clocks.Epoch, into set: inout Int32, dropping thread: Int32, _ clocks: borrowing Clocks) {
    if set == 0 { set = make() }
    if headers[set].count == headers[set].capacity { prune(set, before: thread, clocks) }
    // SAFETY: there is room for one more now.
    unsafe headers[set].base.unsafelyUnwrapped[Int(headers[set].count)] = access
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

  /// Drops what is ordered, and of each thread all but its last access; where that leaves more than half, makes room for twice as many. So the
  /// work is paid for by the insertions before it.
  private mutating func prune(_ set: Int32, before thread: Int32, _ clocks: borrowing Clocks) {
    guard let base = unsafe headers[set].base else { return }
    let (count, capacity) = (headers[set].count, headers[set].capacity)
    // SAFETY: indices are below the count, and `kept` never passes `index`; the larger memory holds all that is moved.
    for index in 0..<count { unsafe lastIndex[base[Int(index)].thread] = index }
    var kept = 0
    for index in 0..<count {
      let access = unsafe base[Int(index)]
      guard lastIndex[access.thread] == index, !clocks.isOrdered(access, before: thread) else { continue }
      unsafe base[kept] = access
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
