/// The nodes of all clock bodies, counted by reference and copied on write.
///
/// One node is 32 numbers: times of threads in a leaf, references to nodes a level below in a branch. Nodes are numbered, so that a reference
/// is 4 bytes and the store can move when it grows. A node with one reference is changed in place; a shared one is copied first, and joining
/// gives back one of its inputs wherever that equals the result: that keeps equal knowledge in one node, where comparing costs nothing.
@usableFromInline
@safe struct ClockNodes: ~Copyable {
  static let width = 32
  private static let limit = 1 << 29

  /// `capacity` nodes of 32 numbers; those below `used` are initialised.
  @usableFromInline var words: UnsafeMutablePointer<UInt32>
  /// References to each node. They can't overflow: each is held by 4 bytes of somebody's memory, and 16 GiB of one reference is no trace.
  @usableFromInline var counts: UnsafeMutablePointer<UInt32>
  private var capacity = 64
  private var used = 1
  /// Nodes that are not in use, linked through their first word; 0 ends the list.
  private var firstFree = 0
  private(set) var freeCount = 0
  /// 32 words a level, for results of a join before it is known whether they need a node.
  @usableFromInline let scratch: UnsafeMutablePointer<UInt32>

  init() {
    unsafe words = .allocate(capacity: capacity * Self.width)
    unsafe counts = .allocate(capacity: capacity)
    unsafe scratch = .allocate(capacity: 8 * Self.width)
    unsafe words.initialize(repeating: 0, count: Self.width)
    unsafe counts.initialize(to: 1)
    unsafe scratch.initialize(repeating: 0, count: 8 * Self.width)
  }

  // Inlinable because 6.3.1 fails an assertion where a fragile setter destroys a value with a deinit that is not.
  @inlinable
  deinit {
    unsafe words.deallocate()
    unsafe counts.deallocate()
    unsafe scratch.deallocate()
  }

  /// The greatest number of a thread that anybody knows the time of: no body has anything behind it.
  private var highest: Int32 = 0

  /// How many references a branch can hold; those behind them are to nothing.
  @inline(__always)
  private func breadth(_ level: Int) -> Int { min(Self.width, Int(highest >> (5 * Int32(level))) + 1) }

  /// Nodes that somebody refers to, the one of zeros aside.
  var liveCount: Int { used - 1 - freeCount }

  // MARK: Looking

  /// The time of a thread as a body knows it, 0 for never heard of.
  @inlinable
  @inline(__always)
  func time(of thread: Int32, in body: ClockBody) -> UInt32 {
    // SAFETY: a body's node is one of ours; the index within it is below 32.
    if body.bits < 1 << 29, thread < 32 { return unsafe words[body.node &* 32 &+ Int(thread)] }
    if body.bits >> 29 == 1, thread < 1024 {
      let leaf = unsafe ClockBody(bits: words[body.node &* 32 &+ Int(thread >> 5)])
      return unsafe words[leaf.node &* 32 &+ Int(thread & 31)]
    }
    return timeInTree(of: thread, in: body)
  }

  @usableFromInline
  func timeInTree(of thread: Int32, in body: ClockBody) -> UInt32 {
    var level = Int32(body.level)
    guard thread >> (5 * (level + 1)) == 0 else { return 0 }
    var node = body.node
    while true {
      // SAFETY: as above; an empty child is node 0, which holds zeros.
      let word = unsafe words[node &* Self.width &+ Int(thread >> (5 * level) & 31)]
      if level == 0 { return word }
      node = ClockBody(bits: word).node
      level -= 1
    }
  }

  /// The times of the first threads as a body knows them.
  @unsafe func copyTimes(in body: ClockBody, into times: UnsafeMutableBufferPointer<UInt32>) {
    let count = times.count
    guard let target = times.baseAddress else { return }
    for first in stride(from: 0, to: count, by: Self.width) {
      var leaf = body
      for level in stride(from: Int32(body.level), to: 0, by: -1) { leaf = ClockBody(bits: self[leaf.node, first >> Int(5 * level) & 31]) }
      if first >> (5 * (body.level + 1)) != 0 { leaf = .empty }  // beyond what the tree spans
      // SAFETY: a leaf is a node of ours, of so many numbers; an empty one is node 0, which holds zeros.
      unsafe (target + first).update(from: words + leaf.node &* Self.width, count: min(Self.width, count - first))
    }
  }

  subscript(node: Int, index: Int) -> UInt32 {
    // SAFETY: nodes come from bodies of this store and are below `used`; the index is below 32.
    get { unsafe words[node &* Self.width &+ index] }
    nonmutating set { unsafe words[node &* Self.width &+ index] = newValue }
  }

  // MARK: References

  @inline(__always)
  func isUnique(_ body: ClockBody) -> Bool { unsafe counts[body.node] == 1 }

  @inline(__always)
  func retain(_ body: ClockBody) {
    // SAFETY: the node is below `used`. The count of node 0 is never looked at.
    unsafe counts[body.node] &+= 1
  }

  @inline(__always)
  mutating func release(_ body: ClockBody) {
    guard !body.isEmpty else { return }
    // SAFETY: the node is below `used`.
    unsafe counts[body.node] &-= 1
    if unsafe counts[body.node] == 0 { free(body) }
  }

  private mutating func free(_ body: ClockBody) {
    if body.level > 0 {
      for index in 0..<breadth(body.level) { release(ClockBody(bits: self[body.node, index])) }
    }
    self[body.node, 0] = UInt32(truncatingIfNeeded: firstFree)
    firstFree = body.node
    freeCount += 1
  }

  // MARK: Making

  /// A node with one reference and undefined contents.
  private mutating func allocate() -> Int {
    if firstFree != 0 {
      let node = firstFree
      firstFree = Int(self[node, 0])
      freeCount -= 1
      unsafe counts[node] = 1
      return node
    }
    if used == capacity { grow() }
    // SAFETY: `used` is below the capacity now; the words are initialised here, once.
    unsafe counts[used] = 1
    unsafe (words + used * Self.width).initialize(repeating: 0, count: Self.width)
    used += 1
    return used - 1
  }

  private mutating func grow() {
    precondition(capacity < Self.limit, "more than 2^29 clock nodes")
    let larger = UnsafeMutablePointer<UInt32>.allocate(capacity: 2 * capacity * Self.width)
    let largerCounts = UnsafeMutablePointer<UInt32>.allocate(capacity: 2 * capacity)
    // SAFETY: the first `used` nodes are initialised and fit.
    unsafe larger.initialize(from: words, count: used * Self.width)
    unsafe largerCounts.initialize(from: counts, count: used)
    unsafe words.deallocate()
    unsafe counts.deallocate()
    unsafe words = larger
    unsafe counts = largerCounts
    capacity *= 2
  }

  /// A body of zeros that is no longer shared with the empty one.
  private mutating func makeZeros(level: Int) -> ClockBody {
    let node = allocate()
    for index in 0..<Self.width { self[node, index] = 0 }
    return ClockBody(level: level, node: node)
  }

  private mutating func copy(_ body: ClockBody) -> ClockBody {
    let node = allocate()
    for index in 0..<Self.width { self[node, index] = self[body.node, index] }
    if body.level > 0 {
      for index in 0..<breadth(body.level) where self[node, index] != 0 { retain(ClockBody(bits: self[node, index])) }
    }
    return ClockBody(level: body.level, node: node)
  }

  /// The same knowledge as a tree of more levels. Takes over the caller's reference.
  private mutating func lift(_ body: ClockBody, to level: Int) -> ClockBody {
    guard !body.isEmpty else { return body }
    var body = body
    while body.level < level {
      let parent = makeZeros(level: body.level + 1)
      self[parent.node, 0] = body.bits
      body = parent
    }
    return body
  }

  // MARK: Changing

  /// The body with a thread's time raised to at least `time`. Takes over the caller's reference, returns one.
  mutating func raise(_ body: ClockBody, _ thread: Int32, to time: UInt32) -> ClockBody {
    let level = max(ClockBody.level(for: thread), body.level)
    highest = max(highest, thread)
    return raise(lift(body, to: level), thread, to: time, level: level)
  }

  private mutating func raise(_ body: ClockBody, _ thread: Int32, to time: UInt32, level: Int) -> ClockBody {
    var own = body
    if body.isEmpty {
      own = makeZeros(level: level)
    } else if !isUnique(body) {
      own = copy(body)
      release(body)
    }
    let index = Int(thread >> (5 * Int32(level)) & 31)
    if level == 0 {
      self[own.node, index] = max(self[own.node, index], time)
    } else {
      let child = raise(ClockBody(bits: self[own.node, index]), thread, to: time, level: level - 1)
      self[own.node, index] = child.bits
    }
    return own
  }

  /// The maximum of two bodies, thread by thread. Takes over the caller's reference to `mine`, only reads `theirs`, returns a reference.
  mutating func join(_ mine: ClockBody, _ theirs: ClockBody) -> ClockBody {
    if mine == theirs || theirs.isEmpty { return mine }
    if mine.isEmpty {
      retain(theirs)
      return theirs
    }
    if mine.level < theirs.level { return join(lift(mine, to: theirs.level), theirs) }
    if theirs.level < mine.level {
      retain(theirs)
      let lifted = lift(theirs, to: mine.level)
      let joined = join(mine, lifted)
      release(lifted)
      return joined
    }
    if mine.level == 0 { return joinLeaves(mine, theirs) }
    return isUnique(mine) ? joinBranchesInPlace(mine, theirs) : joinBranches(mine, theirs)
  }

  /// Both have the same contents: theirs is the one to keep, for it is shared.
  private mutating func exchange(_ mine: ClockBody, for theirs: ClockBody) -> ClockBody {
    retain(theirs)
    release(mine)
    return theirs
  }

  private mutating func joinLeaves(_ mine: ClockBody, _ theirs: ClockBody) -> ClockBody {
    var newer: UInt32 = 0
    var older: UInt32 = 0
    // SAFETY: both nodes are below `used`, 32 words each; pointers are taken anew where the store may have moved.
    var left = unsafe words + mine.node &* Self.width
    var right = unsafe words + theirs.node &* Self.width
    for index in 0..<Self.width {
      let greatest = unsafe max(left[index], right[index])
      newer |= unsafe greatest ^ left[index]
      older |= unsafe greatest ^ right[index]
    }
    if newer == 0 { return older != 0 ? mine : exchange(mine, for: theirs) }
    if older == 0 { return exchange(mine, for: theirs) }
    var node = mine.node
    if !isUnique(mine) {
      node = allocate()
      unsafe left = words + mine.node &* Self.width
      unsafe right = words + theirs.node &* Self.width
    }
    let out = unsafe words + node &* Self.width
    for index in 0..<Self.width { unsafe out[index] = max(left[index], right[index]) }
    if node != mine.node { release(mine) }
    return ClockBody(level: 0, node: node)
  }

  private mutating func joinBranchesInPlace(_ mine: ClockBody, _ theirs: ClockBody) -> ClockBody {
    var isTheirs = true
    for index in 0..<breadth(mine.level) {
      let (left, right) = (self[mine.node, index], self[theirs.node, index])
      guard left != right else { continue }
      let joined = join(ClockBody(bits: left), ClockBody(bits: right))
      self[mine.node, index] = joined.bits
      if joined.bits != right { isTheirs = false }
    }
    return isTheirs ? exchange(mine, for: theirs) : mine
  }

  private mutating func joinBranches(_ mine: ClockBody, _ theirs: ClockBody) -> ClockBody {
    // SAFETY: 32 words for each of 8 levels; a join below this one uses those of lower levels.
    let results = unsafe scratch + mine.level * Self.width
    var isMine = true
    var isTheirs = true
    let breadth = breadth(mine.level)
    for index in 0..<breadth {
      let (left, right) = (ClockBody(bits: self[mine.node, index]), ClockBody(bits: self[theirs.node, index]))
      unsafe results[index] = left.bits
      if left == right { continue }
      if !left.isEmpty { retain(left) }
      let joined = join(left, right)
      unsafe results[index] = joined.bits
      if joined != left { isMine = false }
      if joined != right { isTheirs = false }
    }
    if isMine || isTheirs {
      for index in 0..<breadth where self[mine.node, index] != self[theirs.node, index] { release(ClockBody(bits: unsafe results[index])) }
      return isTheirs ? exchange(mine, for: theirs) : mine
    }
    let node = allocate()
    for index in 0..<Self.width {
      let word = index < breadth ? unsafe results[index] : 0
      // What both had alike was not counted above.
      if word != 0, self[mine.node, index] == self[theirs.node, index] { retain(ClockBody(bits: word)) }
      self[node, index] = word
    }
    release(mine)
    return ClockBody(level: mine.level, node: node)
  }
}
