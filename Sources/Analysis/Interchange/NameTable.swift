/// Names of one sort and their numbers, counted up from 0 in the order of their first appearance.
///
/// Open addressing with the names in the table itself: a look-up of up to 15 bytes, as nearly all names are, costs one multiplication and touches
/// one cache line. The hash is keyed anew in each process, so that no file can be made to collide.
@safe public struct NameTable: ~Copyable {
  private struct Entry: BitwiseCopyable {
    /// The first 8 bytes, or the hash of a long name.
    var first: UInt64 = 0
    /// The next 7 bytes and the length above; for a long name `longMark` and the length. Zero in an empty entry, for no name is empty.
    var second: UInt64 = 0
    var number: Int32 = 0
  }

  private static let shortest = 15
  private static let longMark: UInt64 = 0xff << 56

  /// A power of two of entries, at most half of them in use.
  private var entries: UnsafeMutablePointer<Entry>
  private var mask: Int
  private let keys: (UInt64, UInt64)
  /// All names, one after the other.
  private var text = TextBuffer()
  /// Where each name ends.
  private var ends: [Int] = []

  public init() {
    let capacity = 64
    unsafe entries = .allocate(capacity: capacity)
    unsafe entries.initialize(repeating: Entry(), count: capacity)
    mask = capacity - 1
    keys = (.random(in: 1 ... .max), .random(in: 1 ... .max))
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

  /// The number of a name, a new one if it was never seen. It is not empty, and 16 bytes from its start can be read, whatever they are.
  @unsafe
  @inline(__always)
  mutating func number(of name: UnsafeRawPointer, length: Int) -> Int32 {
    // SAFETY: as the caller promises.
    var first = unsafe UInt64(littleEndian: name.loadUnaligned(as: UInt64.self))
    var second = UInt64(length) << 56
    if length <= 8 {
      first &= ~0 >> UInt64(64 - 8 * length)
    } else if length <= Self.shortest {
      second |= unsafe UInt64(littleEndian: name.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) & (~0 >> UInt64(128 - 8 * length))
    } else {
      return unsafe longNumber(of: name, length)
    }
    var at = Int(truncatingIfNeeded: hash(first, second)) & mask
    while true {
      // SAFETY: the index is below the capacity.
      let entry = unsafe entries[at]
      if entry.second == second, entry.first == first { return entry.number }
      if entry.second == 0 { return unsafe add(Entry(first: first, second: second, number: Int32(ends.count)), name, length) }
      at = (at + 1) & mask
    }
  }

  @inline(__always)
  private func hash(_ first: UInt64, _ second: UInt64) -> UInt64 {
    let product = (first ^ keys.0).multipliedFullWidth(by: second ^ keys.1)
    return product.high ^ product.low
  }

  private mutating func longNumber(of name: UnsafeRawPointer, _ length: Int) -> Int32 {
    var first = UInt64(length)
    // SAFETY: only whole words of the name are read, and at last its last 8 bytes.
    for offset in stride(from: 0, to: length - 8, by: 8) { first = hash(first, unsafe name.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    first = hash(first, unsafe name.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self))
    let second = Self.longMark | UInt64(length)
    var at = Int(truncatingIfNeeded: hash(first, second)) & mask
    while true {
      // SAFETY: the index is below the capacity.
      let entry = unsafe entries[at]
      if entry.second == 0 { return unsafe add(Entry(first: first, second: second, number: Int32(ends.count)), name, length) }
      if entry.second == second, entry.first == first {
        let isSame = unsafe bytes(of: entry.number).withUnsafeBytes { unsafe $0.elementsEqual(UnsafeRawBufferPointer(start: name, count: length)) }
        if isSame { return entry.number }
      }
      at = (at + 1) & mask
    }
  }

  @inline(never)
  private mutating func add(_ entry: Entry, _ name: UnsafeRawPointer, _ length: Int) -> Int32 {
    precondition(ends.count < Int(Int32.max))
    if ends.count * 2 > mask { grow() }
    // SAFETY: the name's own bytes.
    unsafe text.append(RawSpan(_unsafeStart: name, byteCount: length))
    ends.append(text.count)
    put(entry)
    return entry.number
  }

  private func put(_ entry: Entry) {
    var at = Int(truncatingIfNeeded: hash(entry.first, entry.second)) & mask
    // SAFETY: the index is below the capacity; half the entries are empty, so that this ends.
    while unsafe entries[at].second != 0 { at = (at + 1) & mask }
    unsafe entries[at] = entry
  }

  private mutating func grow() {
    let (old, oldCapacity) = unsafe (entries, mask + 1)
    unsafe entries = .allocate(capacity: 2 * oldCapacity)
    // SAFETY: all of the new entries, and then all of the old ones.
    unsafe entries.initialize(repeating: Entry(), count: 2 * oldCapacity)
    mask = 2 * oldCapacity - 1
    for index in 0..<oldCapacity where unsafe old[index].second != 0 { put(unsafe old[index]) }
    unsafe old.deallocate()
  }
}
