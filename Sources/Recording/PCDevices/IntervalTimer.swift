/// As much of a PC's timer (Intel 8254) as answers reads: counters that run, and the output of the third. It raises no interrupt.
///
/// For hosts where the guest gets its ticks otherwise; elsewhere KVM has a whole one.
public struct IntervalTimer: Hashable, Sendable {
  public static let ports: ClosedRange<UInt16> = 0x40...0x43
  /// Gate and output of the third counter.
  public static let systemPort: UInt16 = 0x61

  private static let frequency: UInt64 = 1_193_182

  private struct Counter: Hashable, Sendable {
    var reload: UInt16 = 0
    /// 1 low byte, 2 high byte, 3 both.
    var access: UInt8 = 3
    var mode: UInt8 = 0
    var low: UInt8?
    var latched: [UInt8] = []
    var readsHigh = false
    /// When it was loaded, in nanoseconds.
    var start: UInt64 = 0

    var period: UInt64 { reload == 0 ? 65_536 : UInt64(reload) }

    func ticks(_ now: UInt64) -> UInt64 { Oscillator.ticks(in: now &- start, hertz: IntervalTimer.frequency) }

    func value(_ now: UInt64) -> UInt16 {
      let ticks = ticks(now)
      // Rate and square wave begin again; the others count on below zero.
      let left = mode & 2 != 0 ? period - ticks % period : period &- ticks
      return UInt16(truncatingIfNeeded: left)
    }

    /// The output of a counter that runs down once.
    func output(_ now: UInt64) -> Bool { ticks(now) >= period }
  }

  private var counters = [Counter](repeating: Counter(), count: 3)
  private var system: UInt8 = 0

  public init() {}

  /// `now` is in nanoseconds, from any start.
  public mutating func write(_ port: UInt16, _ value: UInt8, now: UInt64) {
    if port == Self.systemPort {
      // The gate's rise starts the count anew.
      if value & 1 != 0, system & 1 == 0 { counters[2].start = now }
      system = value & 0x03
    } else if port == Self.ports.upperBound {
      command(value, now)
    } else {
      load(Int(port - Self.ports.lowerBound), value, now)
    }
  }

  private mutating func command(_ value: UInt8, _ now: UInt64) {
    // 3 would read several back at once, which nobody asks of a timer that does not interrupt.
    let number = Int(value >> 6)
    guard number < 3 else { return }
    let access = value >> 4 & 3
    guard access != 0 else {
      if counters[number].latched.isEmpty {
        let count = counters[number].value(now)
        counters[number].latched = [UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8)]
      }
      return
    }
    counters[number] = Counter(access: access, mode: value >> 1 & 7, start: now)
  }

  private mutating func load(_ number: Int, _ value: UInt8, _ now: UInt64) {
    switch counters[number].access {
    case 1: counters[number].reload = UInt16(value)
    case 2: counters[number].reload = UInt16(value) << 8
    default:
      guard let low = counters[number].low else {
        counters[number].low = value
        return
      }
      counters[number].low = nil
      counters[number].reload = UInt16(low) | UInt16(value) << 8
    }
    counters[number].start = now
  }

  public mutating func read(_ port: UInt16, now: UInt64) -> UInt8 {
    if port == Self.systemPort { return system | (counters[2].output(now) ? 0x20 : 0) }
    guard port < Self.ports.upperBound else { return 0xff }
    let number = Int(port - Self.ports.lowerBound)
    if !counters[number].latched.isEmpty { return counters[number].latched.removeFirst() }
    let count = counters[number].value(now)
    let isHigh = counters[number].access == 2 || counters[number].access == 3 && counters[number].readsHigh
    if counters[number].access == 3 { counters[number].readsHigh.toggle() }
    return UInt8(truncatingIfNeeded: isHigh ? count >> 8 : count)
  }
}
