/// FNV-1a over 64-bit words: what `c` of a stop, an entry and a return holds, so that "exactly where it was" can be checked
/// without the registers themselves in the trace. Which registers go in, and in which order, is the recorder's choice; equal
/// registers give equal digests within one trace.
public struct RegisterDigest: Sendable {
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  public init() {}

  @inlinable public mutating func combine(_ word: UInt64) {
    fold(word)
  }

  @usableFromInline mutating func fold(_ word: UInt64) {
    for shift in stride(from: 0 as UInt64, to: 64, by: 8) {
      value = (value ^ (word >> shift & 0xff)) &* 0x100_0000_01b3
    }
  }
}
