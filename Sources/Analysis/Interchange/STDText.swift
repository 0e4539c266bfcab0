/// STD text in memory, looked at eight bytes at a time. It is padded: whole words can be loaded at any of its bytes.
@safe struct STDText: BitwiseCopyable {
  /// What `operation` found.
  struct Operation {
    var kind: STDOperation
    /// How many bytes of the field stand before the operand; none where it has none.
    var prefix: Int
  }

  private static let ones: UInt64 = 0x0101_0101_0101_0101
  static let highBits: UInt64 = 0x8080_8080_8080_8080

  // SAFETY: whoever makes a text sees to it that it outlives all uses, and that indices are within it and its padding.
  let base: UnsafeRawPointer

  @unsafe init(_ base: UnsafeRawPointer) { unsafe self.base = base }

  @inline(__always)
  func word(_ at: Int) -> UInt64 { unsafe UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }

  @inline(__always)
  func byte(_ at: Int) -> UInt8 { unsafe base.load(fromByteOffset: at, as: UInt8.self) }

  /// The index of the next bar, blank or control character, of which the padding has one. Collects the high bits of bytes that are no ASCII.
  @inline(__always)
  func fieldEnd(_ from: Int, _ seen: inout UInt64) -> Int {
    var at = from
    while true {
      // Each of the two tests is exact for the lowest byte that it finds.
      let word = word(at)
      seen |= word
      let bar = word ^ (Self.ones &* 0x7c)
      let stop = (((bar &- Self.ones) & ~bar) | ((word &- Self.ones &* 0x21) & ~word)) & Self.highBits
      if stop != 0 { return at &+ stop.trailingZeroBitCount &>> 3 }
      at &+= 8
    }
  }

  /// The operation that a field names, nil if it is none.
  @inline(__always)
  func operation(_ start: Int, _ end: Int) -> Operation? {
    let word = word(start)
    let found: Operation
    switch word & 0xffff {
    case 0x2872: found = Operation(kind: .read, prefix: 2)
    case 0x2877: found = Operation(kind: .write, prefix: 2)
    default:
      switch word & 0xffff_ffff {
      case 0x2871_6361: found = Operation(kind: .acquire, prefix: 4)
      case 0x286c_6572: found = Operation(kind: .release, prefix: 4)
      case 0x6b72_6f66 where word >> 32 & 0xff == 0x28: found = Operation(kind: .fork, prefix: 5)
      case 0x6e69_6f6a where word >> 32 & 0xff == 0x28: found = Operation(kind: .join, prefix: 5)
      default: return bound(start, end)
      }
    }
    guard end &- start > found.prefix &+ 1, byte(end &- 1) == 0x29 else { return nil }
    return found
  }

  /// `begin` or `end`, alone or with parentheses.
  private func bound(_ start: Int, _ end: Int) -> Operation? {
    let word = word(start)
    let found: (kind: STDOperation, length: Int)
    if word & 0xff_ffff_ffff == 0x6e_6967_6562 {
      found = (.begin, 5)
    } else if word & 0xff_ffff == 0x64_6e65 {
      found = (.end, 3)
    } else {
      return nil
    }
    let rest = end - start - found.length
    let isWhole = rest == 0 || (rest >= 2 && byte(start + found.length) == 0x28 && byte(end - 1) == 0x29)
    return isWhole ? Operation(kind: found.kind, prefix: 0) : nil
  }

  func isUTF8(_ start: Int, _ end: Int) -> Bool {
    unsafe String(validating: UnsafeRawBufferPointer(start: base + start, count: end - start), as: UTF8.self) != nil
  }

  /// The key of a name in a table of names; it is not empty.
  @inline(__always)
  func key(_ start: Int, length: Int) -> NameTable.Key {
    let first = word(start)
    let second = UInt64(truncatingIfNeeded: length) &<< 56
    if length <= 8 { return NameTable.Key(first: first & (~0 &>> UInt64(truncatingIfNeeded: 64 &- 8 &* length)), second: second) }
    guard length <= NameTable.Key.limit else { return NameTable.Key(first: 0, second: NameTable.Key.longMark) }
    let rest = word(start &+ 8) & (~0 &>> UInt64(truncatingIfNeeded: 128 &- 8 &* length))
    return NameTable.Key(first: first, second: second | rest)
  }
}
