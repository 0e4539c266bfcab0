/// Reads traces in RAPID's STD format, `thread|operation(operand)|location`, one event a line, in pieces of any size.
///
/// Operations are `r`, `w` (a variable), `acq`, `rel` (a lock), `fork`, `join` (a thread), `begin` and `end`, which may stand alone, with empty
/// parentheses or with an operand. Each field is one or more bytes of UTF-8, without blanks, control characters and bars; an operand ends at the
/// last parenthesis of its field, so that it may hold others. A line ends with a line feed, or carriage return and line feed; at the end of the
/// text that may be missing. Nothing else is a line: an empty one, a comment, a fourth field is an error. Nothing is guessed.
///
/// Source: RAPID (https://github.com/umangm/rapid), README and parse/std; it takes locations for numbers, here they are any text.
@safe public struct STDReader: ~Copyable {
  /// One event; numbers are those of the reader's tables.
  public struct Event: BitwiseCopyable {
    public var thread: Int32
    /// A variable, a lock or a thread; -1 for `begin` and `end`.
    public var operand: Int32
    /// Where the location is in the buffer.
    var locationStart: UInt32
    var locationEnd: UInt32
    public var operation: STDOperation
  }

  /// Bytes that a line may have, its end included.
  public static let lineLimit = 1 << 16
  private static let capacity = 1 << 18
  /// Loads of whole words may pass the end.
  private static let padding = 64
  private static let batchSize = 1024

  public private(set) var threads = NameTable()
  public private(set) var variables = NameTable()
  public private(set) var locks = NameTable()
  /// Lines read so far, that is events.
  public private(set) var lineCount: UInt64 = 0

  let buffer: UnsafeMutableRawPointer
  private let events: UnsafeMutablePointer<Event>
  /// What is not yet read of the buffer's bytes: up to `complete` there are whole lines, up to `end` bytes.
  private var start = 0
  private var complete = 0
  private(set) var end = 0
  private var hasEnded = false

  public init() {
    unsafe buffer = .allocate(byteCount: Self.capacity + Self.padding, alignment: 64)
    unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity + Self.padding)
    unsafe events = .allocate(capacity: Self.batchSize)
  }

  deinit {
    unsafe buffer.deallocate()
    unsafe events.deallocate()
  }

  // MARK: Bytes in

  /// Takes in more text: the body puts up to as many bytes as there is room for at the start of what it is lent, and says how many; none is the end
  /// of the text. To be called when there is no batch left. Returns whether there may be more events.
  public mutating func fill(_ body: (UnsafeMutableRawBufferPointer) throws -> Int) throws -> Bool {
    if hasEnded { return false }
    // SAFETY: what is left moves down within the buffer; the body is lent the rest but the padding and a line's end.
    let left = end - start
    unsafe buffer.copyMemory(from: buffer + start, byteCount: left)
    (start, complete, end) = (0, 0, left)
    let room = unsafe UnsafeMutableRawBufferPointer(start: buffer + end, count: Self.capacity - 1 - end)
    let count = try unsafe body(room)
    precondition(count >= 0 && count <= room.count)
    let scanned = end
    end += count
    if count == 0 {
      hasEnded = true
      if end > 0, byte(end - 1) != 0x0a {
        unsafe buffer.storeBytes(of: UInt8(ascii: "\n"), toByteOffset: end, as: UInt8.self)
        end += 1
      }
      complete = end
      return end > 0
    }
    complete = end
    while complete > scanned, unsafe buffer.load(fromByteOffset: complete - 1, as: UInt8.self) != UInt8(ascii: "\n") { complete -= 1 }
    if complete == scanned { complete = 0 }
    return true
  }

  // MARK: Events out

  /// Reads the next events of the text taken in; 0 when all whole lines of it are read.
  public mutating func nextBatch() throws(STDError) -> Int {
    var count = 0
    var at = start
    while at < complete, count < Self.batchSize {
      at = try readLine(at, count)
      count += 1
    }
    start = at
    if count == 0, end - start >= Self.lineLimit {
      lineCount += 1
      throw malformed(start)
    }
    return count
  }

  /// An event of the batch that was read last.
  @inline(__always)
  public func event(_ index: Int) -> Event {
    precondition(index >= 0 && index < Self.batchSize)
    // SAFETY: the index is checked; what a batch did not set is plain numbers.
    return unsafe events[index]
  }

  /// The number of an event's location in a table of names; before the next `fill`.
  func location(of event: Event, in table: inout NameTable) -> Int32 {
    // SAFETY: within the buffer, which is padded.
    unsafe table.number(of: buffer + Int(event.locationStart), length: Int(event.locationEnd - event.locationStart))
  }

  // MARK: Lines

  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let tops: UInt64 = 0x8080_8080_8080_8080

  @inline(__always)
  private func word(_ at: Int) -> UInt64 {
    // SAFETY: within the buffer and its padding.
    unsafe UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: at, as: UInt64.self))
  }

  @inline(__always)
  private func byte(_ at: Int) -> UInt8 { unsafe buffer.load(fromByteOffset: at, as: UInt8.self) }

  /// The index of the next bar, blank or control character; there is one, as a line feed ends the text. Collects bytes that are no ASCII.
  @inline(__always)
  private func fieldEnd(_ from: Int, _ seen: inout UInt64) -> Int {
    var at = from
    while true {
      // Eight bytes at once: each of the two tests is exact for the lowest byte that it finds.
      let word = word(at)
      seen |= word
      let bar = word ^ (Self.ones &* 0x7c)
      let stop = (((bar &- Self.ones) & ~bar) | ((word &- Self.ones &* 0x21) & ~word)) & Self.tops
      if stop != 0 { return at &+ stop.trailingZeroBitCount >> 3 }
      at &+= 8
    }
  }

  /// Reads the line at `at` as event `index` of the batch; returns where the next line starts.
  @inline(__always)
  private mutating func readLine(_ at: Int, _ index: Int) throws(STDError) -> Int {
    lineCount &+= 1
    var seen: UInt64 = 0
    let threadEnd = fieldEnd(at, &seen)
    let operationEnd = fieldEnd(threadEnd &+ 1, &seen)
    let locationEnd = fieldEnd(operationEnd &+ 1, &seen)
    guard threadEnd > at, byte(threadEnd) == 0x7c, byte(operationEnd) == 0x7c, locationEnd > operationEnd &+ 1 else { throw malformed(at) }
    var next = locationEnd
    if byte(next) == 0x0d { next &+= 1 }
    guard byte(next) == 0x0a, next < complete, next &- at < Self.lineLimit else { throw malformed(at) }
    guard let (operation, skipped) = operation(threadEnd &+ 1, operationEnd) else { throw malformed(at) }
    if seen & Self.tops != 0, !isUTF8(at, locationEnd) { throw malformed(at) }
    // SAFETY: the names lie in the buffer, which is padded; the index is below the size of a batch.
    let thread = unsafe threads.number(of: buffer + at, length: threadEnd &- at)
    var operand: Int32 = -1
    if skipped > 0 {
      let name = unsafe buffer + (threadEnd &+ 1 &+ skipped)
      let length = operationEnd &- threadEnd &- 2 &- skipped
      switch operation {
      case .read, .write: operand = unsafe variables.number(of: name, length: length)
      case .acquire, .release: operand = unsafe locks.number(of: name, length: length)
      default: operand = unsafe threads.number(of: name, length: length)
      }
    }
    unsafe events[index] = Event(
      thread: thread, operand: operand, locationStart: UInt32(truncatingIfNeeded: operationEnd &+ 1),
      locationEnd: UInt32(truncatingIfNeeded: locationEnd), operation: operation)
    return next &+ 1
  }

  /// The operation of a field, and how many bytes stand before its operand: none where it has none.
  @inline(__always)
  private func operation(_ start: Int, _ end: Int) -> (STDOperation, Int)? {
    let word = word(start)
    let found: (STDOperation, Int)
    switch word & 0xffff {
    case 0x2872: found = (.read, 2)
    case 0x2877: found = (.write, 2)
    default:
      switch word & 0xffff_ffff {
      case 0x2871_6361: found = (.acquire, 4)
      case 0x286c_6572: found = (.release, 4)
      case 0x6b72_6f66: found = (.fork, 5)
      case 0x6e69_6f6a: found = (.join, 5)
      default: return bound(start, end)
      }
      if found.1 == 5, word >> 32 & 0xff != 0x28 { return nil }
    }
    guard end &- start > found.1 &+ 1, byte(end &- 1) == 0x29 else { return nil }
    return found
  }

  /// `begin` or `end`, alone or with parentheses.
  private func bound(_ start: Int, _ end: Int) -> (STDOperation, Int)? {
    let word = word(start)
    let found: (operation: STDOperation, length: Int)
    if word & 0xff_ffff_ffff == 0x6e_6967_6562 {
      found = (.begin, 5)
    } else if word & 0xff_ffff == 0x64_6e65 {
      found = (.end, 3)
    } else {
      return nil
    }
    let rest = end - start - found.length
    let isWhole = rest == 0 || (rest >= 2 && byte(start + found.length) == 0x28 && byte(end - 1) == 0x29)
    return isWhole ? (found.operation, 0) : nil
  }

  private func isUTF8(_ start: Int, _ end: Int) -> Bool {
    // SAFETY: within the buffer.
    unsafe String(validating: UnsafeRawBufferPointer(start: buffer + start, count: end - start), as: UTF8.self) != nil
  }
}
