/// Names of one sort and their numbers, counted up from 0 in the order of their first appearance.
///
/// Open addressing with the names in the table itself: a look-up of up to 15 bytes, as nearly all names are, costs one multiplication and touches
/// one cache line. The hash is keyed anew in each process, so that no file can be made to collide.
@safe public struct NameTable: ~Copyable {
  /// A name of up to 15 bytes itself; what a longer one is looked up by.
  struct Key: BitwiseCopyable, Equatable {
    static let limit = 15
    static let longMark: UInt64 = 0xff << 56

    /// The first 8 bytes, or the hash of a long name.
    var first: UInt64
    /// The next 7 bytes and the length above; for a long name `longMark`, and its length once it is hashed.
    var second: UInt64

    /// The name must be seen whole.
    @inline(__always)
    var isLong: Bool { second == Self.longMark }
  }

  private struct Entry: BitwiseCopyable {
    /// All zeros in an empty entry, for no name is empty.
    var key: Key
    var number: Int32

    static var empty: Entry { Entry(key: Key(first: 0, second: 0), number: 0) }
  }

  /// A power of two of entries, at most half of them in use.
  private var entries: UnsafeMutablePointer<Entry>
  private var mask: Int
  private let secrets: (UInt64, UInt64)
  /// All names, one after the other.
  private var text = TextBuffer()
  /// Where each name ends.
  private var ends: [Int] = []

  public init() {
    let capacity = 64
    unsafe entries = .allocate(capacity: capacity)
    unsafe entries.initialize(repeating: .empty, count: capacity)
    mask = capacity - 1
    secrets = (.random(in: 1 ... .max), .random(in: 1 ... .max))
  }

  deinit { unsafe entries.deallocate() }

  /// How many names there are.
  public var count: Int { ends.count }

  /// The name with a number.
  public func name(_ number: Int32) -> String { unsafe bytes(of: number).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) } }

  /// The bytes of the name with a number.
  @_lifetime(borrow self)
  public func bytes(of number: Int32) -> RawSpan {
    let start = number == 0 ? 0 : ends[Int(number) - 1]
    return text.bytes(start..<ends[Int(number)])
  }

  /// The number of a name of which this is the key, a new one if it was never seen. `name` and `length` are looked at where the key is not all.
  @unsafe
  @inline(__always)
  mutating func number(_ key: Key, of name: UnsafeRawPointer, length: Int) -> Int32 {
    if key.isLong { return unsafe longNumber(name, length) }
    var at = Int(truncatingIfNeeded: hash(key)) & mask
    while true {
      // SAFETY: the index is below the capacity.
      let entry = unsafe entries[at]
      if entry.key == key { return entry.number }
      if entry.key.second == 0 { return unsafe add(key, name, length) }
      at = (at &+ 1) & mask
    }
  }

  @inline(__always)
  private func hash(_ key: Key) -> UInt64 {
    let product = (key.first ^ secrets.0).multipliedFullWidth(by: key.second ^ secrets.1)
    return product.high ^ product.low
  }

  @inline(never)
  private mutating func longNumber(_ name: UnsafeRawPointer, _ length: Int) -> Int32 {
    var key = Key(first: 0, second: Key.longMark | UInt64(length))
    // SAFETY: only whole words of the name are read, and at last its last 8 bytes.
    for offset in stride(from: 0, to: length - 8, by: 8) {
      key.first = hash(Key(first: key.first ^ (unsafe name.loadUnaligned(fromByteOffset: offset, as: UInt64.self)), second: UInt64(offset)))
    }
    key.first = hash(Key(first: key.first ^ (unsafe name.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)), second: UInt64(length)))
    var at = Int(truncatingIfNeeded: hash(key)) & mask
    while true {
      // SAFETY: the index is below the capacity.
      let entry = unsafe entries[at]
      if entry.key.second == 0 { return unsafe add(key, name, length) }
      if entry.key == key {
        let isSame = unsafe bytes(of: entry.number).withUnsafeBytes { unsafe $0.elementsEqual(UnsafeRawBufferPointer(start: name, count: length)) }
        if isSame { return entry.number }
      }
      at = (at + 1) & mask
    }
  }

  @inline(never)
  private mutating func add(_ key: Key, _ name: UnsafeRawPointer, _ length: Int) -> Int32 {
    precondition(ends.count < Int(Int32.max))
    if ends.count * 2 > mask { grow() }
    let number = Int32(ends.count)
    // SAFETY: the name's own bytes.
    unsafe text.append(RawSpan(_unsafeStart: name, byteCount: length))
    ends.append(text.count)
    put(Entry(key: key, number: number))
    return number
  }

  private func put(_ entry: Entry) {
    var at = Int(truncatingIfNeeded: hash(entry.key)) & mask
    // SAFETY: the index is below the capacity; half the entries are empty, so that this ends.
    while unsafe entries[at].key.second != 0 { at = (at + 1) & mask }
    unsafe entries[at] = entry
  }

  private mutating func grow() {
    let (old, oldCapacity) = unsafe (entries, mask + 1)
    unsafe entries = .allocate(capacity: 2 * oldCapacity)
    // SAFETY: all of the new entries, and then all of the old ones.
    unsafe entries.initialize(repeating: .empty, count: 2 * oldCapacity)
    mask = 2 * oldCapacity - 1
    for index in 0..<oldCapacity where unsafe old[index].key.second != 0 { put(unsafe old[index]) }
    unsafe old.deallocate()
  }
}
