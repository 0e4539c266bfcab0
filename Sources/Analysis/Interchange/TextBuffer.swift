/// Bytes of text to be written out, appended piece by piece without a `String` in between.
@safe public struct TextBuffer: ~Copyable {
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity = 1 << 16
  public private(set) var count = 0

  public init() { unsafe base = .allocate(capacity: capacity) }

  deinit { unsafe base.deallocate() }

  /// All of it.
  public var bytes: RawSpan {
    @_lifetime(borrow self) get { bytes(0..<count) }
  }

  /// Some of it.
  @_lifetime(borrow self)
  public func bytes(_ range: Range<Int>) -> RawSpan {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    // SAFETY: the range is checked; the bytes stay as long as the buffer is not changed.
    return unsafe _overrideLifetime(RawSpan(_unsafeStart: base + range.lowerBound, byteCount: range.count), borrowing: self)
  }

  public mutating func removeAll() { count = 0 }

  @inline(__always)
  private mutating func reserve(_ more: Int) {
    if count + more > capacity { grow(more) }
  }

  @inline(never)
  private mutating func grow(_ more: Int) {
    capacity = max(2 * capacity, count + more)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    // SAFETY: the first `count` bytes are initialised and fit.
    unsafe larger.initialize(from: base, count: count)
    unsafe base.deallocate()
    unsafe base = larger
  }

  public mutating func append(_ byte: UInt8) {
    reserve(1)
    // SAFETY: there is room for it.
    unsafe base[count] = byte
    count += 1
  }

  public mutating func append(_ bytes: RawSpan) {
    reserve(bytes.byteCount)
    // SAFETY: there is room for them.
    unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(start: base + count, count: bytes.byteCount).copyMemory(from: $0) }
    count += bytes.byteCount
  }

  public mutating func append(_ text: StaticString) {
    // SAFETY: a literal's bytes.
    unsafe append(RawSpan(_unsafeStart: text.utf8Start, byteCount: text.utf8CodeUnitCount))
  }

  public mutating func append(_ text: String) {
    // SAFETY: bytes of bytes.
    unsafe append(text.utf8Span.span.bytes)
  }

  public mutating func append(decimal value: UInt64) {
    reserve(20)
    var digits = 1
    var rest = value / 10
    while rest > 0 {
      digits += 1
      rest /= 10
    }
    rest = value
    // SAFETY: 2^64 has 20 digits.
    for index in stride(from: digits - 1, through: 0, by: -1) {
      unsafe base[count + index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count += digits
  }

  /// UTF-8 as a JSON string, in quotation marks.
  public mutating func append(quoted bytes: RawSpan) {
    append(UInt8(ascii: "\""))
    for index in 0..<bytes.byteCount {
      // SAFETY: the index is below the count.
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        append(UInt8(ascii: "\\"))
        append(byte)
      case 0..<0x20, 0x7f:
        append("\\u00" as StaticString)
        append(Self.hexDigit(byte >> 4))
        append(Self.hexDigit(byte & 15))
      default: append(byte)
      }
    }
    append(UInt8(ascii: "\""))
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10 }
}
