import TraceEvents

/// A digest of a stream of events: order, numbers and every operand, but not the times. It does not depend on how the events lie in blocks.
///
/// Two 64-bit lanes, each folding every word `w` as `h = (h ^ w) * k`, high half of the 128-bit product XORed into the low one. It tells
/// traces apart; it is no cryptographic digest.
public struct EventDigest: Hashable, Sendable {
  private var low: UInt64 = 0x9E37_79B9_7F4A_7C15
  private var high: UInt64 = 0xD6E8_FEB8_6659_FD93

  public init() {}

  @inline(__always) private mutating func fold(_ word: UInt64) {
    let first = (low ^ word).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
    low = first.high ^ first.low &+ word
    let second = (high ^ word).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
    high = second.high ^ second.low &+ first.low
  }

  public mutating func combine(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while cursor.next() {
        fold(cursor.seq)
        fold(UInt64(cursor.kind.rawValue) | UInt64(cursor.vcpu) << 8 | UInt64(cursor.dataCount) << 32)
        for operand in 0..<7 where cursor.mask >> UInt8(operand) & 1 != 0 { fold(operand == 2 ? cursor.cause : cursor.operand(operand)) }
        let data = cursor.data
        var at = 0
        // SAFETY: each load lies inside the span.
        while at + 8 <= data.byteCount {
          fold(unsafe UInt64(littleEndian: data.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)))
          at += 8
        }
        var rest: UInt64 = 0
        for index in at..<data.byteCount { rest = rest << 8 | UInt64(unsafe data.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
        if at < data.byteCount { fold(rest) }
      }
    }
  }

  /// 32 hexadecimal digits.
  public var text: String {
    [high, low].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}

extension EventDigest: TracePass {
  public var isDone: Bool { false }

  public mutating func consume(_ batch: EventBatch) { combine(batch) }
  /// The numbers of the events behind it tell of a hole.
  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {}
}
