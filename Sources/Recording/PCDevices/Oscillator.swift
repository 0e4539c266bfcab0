/// Counts at a fixed rate.
enum Oscillator {
  /// How often something of this rate ticks in so many nanoseconds, as far as a number holds.
  static func ticks(in nanoseconds: UInt64, hertz: UInt64) -> UInt64 {
    let (high, low) = nanoseconds.multipliedFullWidth(by: hertz)
    return high >= 1_000_000_000 ? UInt64.max : UInt64(1_000_000_000).dividingFullWidth((high, low)).quotient
  }
}
