/// Reads traces in RAPID's STD format, `thread|operation(operand)|location`, one event a line, in pieces of any size.
///
/// Operations are `r`, `w` (a variable), `acq`, `rel` (a lock), `fork`, `join` (a thread), `begin` and `end`, which may stand alone, with empty
/// parentheses or with an operand. Each field is one or more bytes of UTF-8 above 0x20 (no blanks, no control characters) and no bars; an operand ends
/// at the last parenthesis of its field, so that it may hold others. A byte order mark is an error: it would make the first line's thread
/// another one. A line ends with a line feed, or carriage return and line feed; at the end of the
/// text that may be missing. Nothing else is a line: an empty one, a comment, a fourth field is an error. Nothing is guessed.
///
/// Source: RAPID (https://github.com/umangm/rapid), README and parse/std; it takes locations for numbers, here they are any text.
@safe public struct STDReader: ~Copyable {
  /// One event; numbers are those of the reader's tables.
  public struct Event: BitwiseCopyable {
    public var thread: Int32
    /// A variable, a lock or a thread; -1 for `begin` and `end`.
    public var operand: Int32
    /// Where the operand and the location are in the buffer.
    var operandStart: UInt32
    var locationStart: UInt32
    var locationEnd: UInt32
    public var operation: STDOperation
  }

  /// Bytes that a line may have, its end included.
  public static let lineLimit = 1 << 16
  private static let capacity = 1 << 18
  /// Loads of whole words may pass the end.
  private static let padding = 64
  private static let batchSize = 256

  public private(set) var threads = NameTable()
  public private(set) var variables = NameTable()
  public private(set) var locks = NameTable()
  /// Lines read so far, that is events.
  public private(set) var lineCount: UInt64 = 0

  let buffer: UnsafeMutableRawPointer
  private let events: UnsafeMutablePointer<Event>
  private let keys: UnsafeMutablePointer<NameTable.Key>
  /// What is not yet read of the buffer's bytes: up to `complete` there are whole lines, up to `end` bytes.
  private var start = 0
  private var complete = 0
  private(set) var end = 0
  private var hasEnded = false

  public init() {
    unsafe buffer = .allocate(byteCount: Self.capacity + Self.padding, alignment: 64)
    unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity + Self.padding)
    unsafe events = .allocate(capacity: Self.batchSize)
    unsafe keys = .allocate(capacity: Self.batchSize)
  }

  deinit {
    unsafe buffer.deallocate()
    unsafe events.deallocate()
    unsafe keys.deallocate()
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
      if end > 0, unsafe buffer.load(fromByteOffset: end - 1, as: UInt8.self) != 0x0a {
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
    let text = unsafe STDText(buffer)
    if lineCount == 0, hasByteOrderMark {
      lineCount = 1
      throw malformed(start)
    }
    while at < complete, count < Self.batchSize {
      at = try readLine(text, at, count)
      count += 1
    }
    start = at
    nameVariables(text, count)
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

  /// The location of an event of the last batch.
  @_lifetime(borrow self)
  public func location(of event: Event) -> RawSpan {
    precondition(event.locationStart <= event.locationEnd && event.locationEnd <= Self.capacity)
    // SAFETY: within the buffer, which stays as it is until the next `fill`.
    let bytes = unsafe RawSpan(_unsafeStart: buffer + Int(event.locationStart), byteCount: Int(event.locationEnd - event.locationStart))
    return unsafe _overrideLifetime(bytes, borrowing: self)
  }

  /// The number of an event's location in a table of names; before the next `fill`.
  func location(of event: Event, in table: inout NameTable) -> Int32 {
    let (start, length) = (Int(event.locationStart), Int(event.locationEnd - event.locationStart))
    // SAFETY: within the buffer, which is padded.
    return unsafe table.number(STDText(buffer).key(start, length: length), of: buffer + start, length: length)
  }

  // MARK: Lines

  /// Reads the line at `at` as event `index` of the batch, but for its variable; returns where the next line starts.
  @inline(__always)
  private mutating func readLine(_ text: STDText, _ at: Int, _ index: Int) throws(STDError) -> Int {
    lineCount &+= 1
    var seen: UInt64 = 0
    let threadEnd = text.fieldEnd(at, &seen)
    let operationEnd = text.fieldEnd(threadEnd &+ 1, &seen)
    let locationEnd = text.fieldEnd(operationEnd &+ 1, &seen)
    let end = text.byte(locationEnd) == 0x0d ? locationEnd &+ 1 : locationEnd
    guard threadEnd > at, text.byte(threadEnd) == 0x7c, text.byte(operationEnd) == 0x7c, locationEnd > operationEnd &+ 1,
      text.byte(end) == 0x0a, end < complete, end &- at < Self.lineLimit, let operation = text.operation(threadEnd &+ 1, operationEnd),
      seen & STDText.highBits == 0 || text.isUTF8(at, locationEnd)
    else { throw malformed(at) }
    // SAFETY: the names lie in the buffer, which is padded; the index is below the size of a batch.
    let thread = unsafe threads.number(text.key(at, length: threadEnd &- at), of: text.base + at, length: threadEnd &- at)
    let start = threadEnd &+ 1 &+ operation.prefix
    let length = operationEnd &- 1 &- start
    var operand: Int32 = -1
    switch operation.kind {
    case .read, .write:
      let key = text.key(start, length: length)
      unsafe keys[index] = key
    case .acquire, .release: operand = unsafe locks.number(text.key(start, length: length), of: text.base + start, length: length)
    case .fork, .join: operand = unsafe threads.number(text.key(start, length: length), of: text.base + start, length: length)
    case .begin, .end: break
    }
    unsafe events[index] = Event(
      thread: thread, operand: operand, operandStart: UInt32(truncatingIfNeeded: start), locationStart: UInt32(truncatingIfNeeded: operationEnd &+ 1),
      locationEnd: UInt32(truncatingIfNeeded: locationEnd), operation: operation.kind)
    return end &+ 1
  }

  /// Looks up the variables of a batch. Together, because most of the time goes into waiting for memory, and the processor waits for several
  /// at once where nothing else is in between.
  private mutating func nameVariables(_ text: STDText, _ count: Int) {
    for index in 0..<count {
      // SAFETY: the batch's events are set, and the keys of those that access a variable.
      let event = unsafe events[index]
      guard event.operation == .read || event.operation == .write else { continue }
      let start = Int(event.operandStart)
      unsafe events[index].operand = variables.number(keys[index], of: text.base + start, length: Int(event.locationStart) &- 2 &- start)
    }
  }
}
