import Glibc

/// A small generator whose every run can be repeated (SplitMix64): PAGETAPE_SEED in the environment, else a new seed, printed.
struct SeededGenerator: RandomNumberGenerator {
  static let seed: UInt64 = {
    // SAFETY: nothing in the tests changes the environment; the string is read at once.
    let text = unsafe getenv("PAGETAPE_SEED").map { unsafe String(cString: $0) }
    let seed = text.flatMap { UInt64($0) } ?? UInt64.random(in: 1..<1 << 32)
    print("interchange: PAGETAPE_SEED=\(seed)")
    return seed
  }()

  private var state: UInt64

  init(_ salt: UInt64) { state = Self.seed &* 0x9e37_79b9_7f4a_7c15 &+ salt &* 0xd1b5_4a32_d192_ed03 }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }

  /// A number below `limit`; faster in debug builds than the library's.
  mutating func below(_ limit: Int) -> Int { Int((next() >> 33) % UInt64(limit)) }
}
