import PCDevices
import Testing

@Suite struct ClockTests {
  private static func read(_ registers: [UInt8], at time: UInt64) -> [UInt8] {
    var clock = RealTimeClock()
    return registers.map {
      clock.select($0)
      return clock.read(time: time)
    }
  }

  /// Seconds, minutes, hours, weekday, day, month, year, century.
  private static let date: [UInt8] = [0, 2, 4, 6, 7, 8, 9, 0x32]

  @Test(arguments: [
    (0, [0x00, 0x00, 0x00, 5, 0x01, 0x01, 0x70, 0x19]),
    // 29 February 2000, 23:59:59, a Tuesday; and a second later.
    (951_868_799, [0x59, 0x59, 0x23, 3, 0x29, 0x02, 0x00, 0x20]),
    (951_868_800, [0x00, 0x00, 0x00, 4, 0x01, 0x03, 0x00, 0x20]),
    (1_735_689_599, [0x59, 0x59, 0x23, 3, 0x31, 0x12, 0x24, 0x20]),
    // 1 March 2100, a Monday: no leap year.
    (4_107_542_400, [0x00, 0x00, 0x00, 2, 0x01, 0x03, 0x00, 0x21]),
  ] as [(UInt64, [UInt8])])
  func tellsTheDate(time: UInt64, expected: [UInt8]) { #expect(Self.read(Self.date, at: time) == expected) }

  @Test func isNeverInTheMiddleOfAnUpdate() {
    #expect(Self.read([0x0a, 0x0b, 0x0d], at: 1) == [0x26, 0x02, 0x80])
  }

  @Test func remembersWhatIsNoTime() {
    var clock = RealTimeClock()
    clock.select(0x40)
    clock.write(0x99)
    clock.select(0x02)
    clock.write(0x33)
    #expect(clock.read(time: 0) == 0)
    clock.select(0xc0)
    #expect(clock.read(time: 0) == 0x99, "the top bit of the index is for NMI")
  }
}

@Suite struct TimerTests {
  private static let second: UInt64 = 1_000_000_000

  @Test func countsDownAndSaysWhenItIsThere() {
    var timer = IntervalTimer()
    // The third counter, both bytes, once; 11,932 ticks are 10 ms.
    timer.write(0x61, 0x01, now: 0)
    timer.write(0x43, 0xb0, now: 0)
    timer.write(0x42, 0x9c, now: 0)
    timer.write(0x42, 0x2e, now: 0)
    #expect(timer.read(0x61, now: Self.second / 200) & 0x20 == 0)
    #expect(timer.read(0x61, now: Self.second / 50) & 0x20 == 0x20)
    let low = timer.read(0x42, now: Self.second / 200), high = timer.read(0x42, now: Self.second / 200)
    #expect((5900...6000).contains(Int(high) << 8 | Int(low)))
  }

  @Test func aLatchedCountStays() {
    var timer = IntervalTimer()
    timer.write(0x43, 0x34, now: 0)
    timer.write(0x40, 0, now: 0)
    timer.write(0x40, 0, now: 0)
    timer.write(0x43, 0x00, now: 1_000_000)
    let latched = [timer.read(0x40, now: 2_000_000), timer.read(0x40, now: 3_000_000)]
    #expect(Int(latched[1]) << 8 | Int(latched[0]) == 65_536 - 1193)
    let later = [timer.read(0x40, now: 2_000_000), timer.read(0x40, now: 2_000_000)]
    #expect(Int(later[1]) << 8 | Int(later[0]) == 65_536 - 2386)
  }

  @Test func timeThatRunsForEverDoesNotOverflow() {
    var timer = IntervalTimer()
    for port in 0x40...0x43 as ClosedRange<UInt16> { _ = timer.read(port, now: .max) }
    #expect(timer.read(0x61, now: .max) & 0x20 == 0x20)
  }
}
