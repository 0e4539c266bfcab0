import Glibc

/// A small generator of random numbers (SplitMix64) whose seed is printed with every failure and can be given back in PAGETAPE_SEED.
public struct Seed: RandomNumberGenerator {
  private var state: UInt64

  /// The seed that the environment gives, or `fallback`.
  public static func base(_ fallback: UInt64) -> UInt64 {
    guard let text = unsafe getenv("PAGETAPE_SEED") else { return fallback }
    return unsafe UInt64(String(cString: text)) ?? fallback
  }

  /// The seed of this run where every run may differ: the one of the environment, else a new one. Printed, so that the run can be repeated.
  public static let run: UInt64 = {
    let seed = base(.random(in: 1..<1 << 32))
    print("PAGETAPE_SEED=\(seed)")
    return seed
  }()

  public init(_ seed: UInt64) { state = seed }

  /// One of many generators of a run's seed.
  public init(of seed: UInt64 = run, salt: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ salt &* 0xd1b5_4a32_d192_ed03 }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  public mutating func below(_ end: Int) -> Int { Int(next() % UInt64(end)) }
  public mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}
