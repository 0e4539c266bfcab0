import PCDevices
import Testing

@Suite struct PCDevicesTests {
  @Test func portsLeadToTheirDevices() {
    var devices = PCDevices(hasTimer: true)
    #expect(devices.write(0x3f8, 0x41, now: 0) == .sent(0x41))
    #expect(devices.read(0x3fd, now: 0, time: 0) == 0x60)
    #expect(devices.write(0x70, 0x0d, now: 0) == .none)
    #expect(devices.read(0x71, now: 0, time: 0) == 0x80)
    #expect(devices.write(0x61, 0x01, now: 0) == .none)
    #expect(devices.read(0x61, now: 0, time: 0) & 0x0f == 0x01)
  }

  @Test func nothingAnswersElsewhere() {
    var devices = PCDevices(hasTimer: false)
    for port in [0x0, 0x20, 0x40, 0x61, 0x2f8, 0x400, 0xcf8, 0xffff] as [UInt16] {
      #expect(devices.read(port, now: 0, time: 0) == 0xff)
      #expect(devices.write(port, 0xfe, now: 0) == .none)
    }
  }

  @Test func theKeyboardControllerResets() {
    var devices = PCDevices(hasTimer: false)
    // Room for a command, whatever the state.
    #expect(devices.read(0x64, now: 0, time: 0) & 2 == 0)
    #expect(devices.write(0x64, 0xd1, now: 0) == .none)
    #expect(devices.write(0x60, 0xfe, now: 0) == .none)
    #expect(devices.write(0x64, 0xfe, now: 0) == .reset)
  }

  @Test func aTextIsFoundWhereverItsPiecesCome() {
    var watch = TextWatch("aab")
    var ends: [Bool] = []
    for byte in "aaab".utf8 { ends.append(watch.take(byte)) }
    #expect(ends == [false, false, false, true])
    #expect(watch.isFound)
    let again = watch.take(UInt8(ascii: "b"))
    #expect(!again, "once")
    var empty = TextWatch("")
    let found = empty.take(0)
    #expect(!found)
  }

  // MARK: Power

  private static func read16(_ devices: inout PCDevices, _ port: UInt16) -> UInt16 {
    UInt16(devices.read(port, now: 0, time: 0)) | UInt16(devices.read(port + 1, now: 0, time: 0)) << 8
  }

  /// What the writes of a two-byte register come to.
  private static func write16(_ devices: inout PCDevices, _ port: UInt16, _ value: UInt16) -> [PCDevices.Effect] {
    [(port, UInt8(value & 0xff)), (port + 1, UInt8(value >> 8))].map { devices.write($0, $1, now: 0, isWhole: false) }
  }

  @Test func sleepEnabledWithTheTypeOfOffTurnsTheMachineOff() {
    var devices = PCDevices(hasTimer: false)
    // As a driver does: the type first, then the type with SLP_EN.
    #expect(Self.write16(&devices, 0x604, 0x1400) == [.none, .none])
    #expect(Self.read16(&devices, 0x604) == 0x1401)
    #expect(Self.write16(&devices, 0x604, 0x3400) == [.none, .powerOff])
    #expect(Self.read16(&devices, 0x604) == 0x1401, "SLP_EN reads as zero")
  }

  @Test(arguments: [0, 1, 2, 3, 4, 6, 7] as [UInt16]) func thereIsNoOtherSleep(type: UInt16) {
    var devices = PCDevices(hasTimer: false)
    #expect(Self.write16(&devices, 0x604, type << 10 | 0x2000) == [.none, .none])
  }

  /// A driver reads back what it enabled.
  @Test func powerEventsAreEnabledAndNeverCome() {
    var devices = PCDevices(hasTimer: false)
    _ = Self.write16(&devices, 0x602, 0xffff)
    #expect(Self.read16(&devices, 0x602) == 0x4721)
    _ = Self.write16(&devices, 0x600, 0xffff)
    #expect(Self.read16(&devices, 0x600) == 0)
    // In ACPI mode for ever.
    _ = Self.write16(&devices, 0x604, 0)
    #expect(Self.read16(&devices, 0x604) == 0x0001)
  }

  private static func timer(_ devices: inout PCDevices, now: UInt64) -> UInt64 {
    (0..<4).reduce(0) { $0 | UInt64(devices.read(0x608 + UInt16($1), now: now, time: 0)) << UInt64(8 * $1) }
  }

  @Test func thePowerTimerCountsItsRate() {
    var devices = PCDevices(hasTimer: false)
    #expect(Self.timer(&devices, now: 0) == 0)
    #expect(Self.timer(&devices, now: 1_000_000_000) == 3_579_545)
    #expect(Self.timer(&devices, now: 1_000) == 3)
    // Past 32 bits it begins again: 20 minutes have 4,295,454,000 ticks.
    #expect(Self.timer(&devices, now: 1_200_000_000_000) == 4_295_454_000 - 1 << 32)
    #expect(devices.write(0x608, 0xff, now: 0) == .none)
    #expect(Self.timer(&devices, now: 0) == 0)
  }

  @Test func theResetControlRegisterResets() {
    var devices = PCDevices(hasTimer: false)
    #expect(devices.write(0xcf9, 0x02, now: 0) == .none)
    #expect(devices.read(0xcf9, now: 0, time: 0) == 0x02)
    #expect(devices.write(0xcf9, 0x06, now: 0) == .reset)
  }

  /// A search for PCI devices writes addresses of four bytes to 0xcf8.
  @Test func aWiderWriteDoesNotReset() {
    var devices = PCDevices(hasTimer: false)
    let effects = [0x00, 0xff, 0x00, 0x80].enumerated().map { devices.write(0xcf8 + UInt16($0), $1, now: 0, isWhole: false) }
    #expect(effects == [.none, .none, .none, .none])
    #expect(devices.read(0xcf9, now: 0, time: 0) == 0)
  }

  // MARK: State

  @Test func stateIsGoneOnFrom() throws {
    var devices = PCDevices(hasTimer: false)
    _ = Self.write16(&devices, 0x602, 0x0020)
    _ = Self.write16(&devices, 0x604, 0x1400)
    _ = devices.write(0xcf9, 0x02, now: 0)
    _ = devices.write(0x70, 0x40, now: 0)
    _ = devices.write(0x71, 0x99, now: 0)
    _ = devices.write(0x3ff, 0x5a, now: 0)
    devices.serial.receive([7, 8])
    // Two seconds on one host, and another host that has been up for a day.
    let day: UInt64 = 86_400_000_000_000
    var again = try #require(PCDevices(state: devices.state(now: 2_000_000_000), hasTimer: false, now: day))
    #expect(Self.read16(&again, 0x602) == 0x0020)
    #expect(Self.read16(&again, 0x604) == 0x1401)
    #expect(again.read(0xcf9, now: 0, time: 0) == 0x02)
    #expect(again.read(0x71, now: 0, time: 0) == 0x99)
    #expect(again.read(0x3ff, now: 0, time: 0) == 0x5a)
    #expect(again.serial.waiting == 2)
    #expect(Self.timer(&again, now: day) == 2 * 3_579_545)
    #expect(Self.timer(&again, now: day + 1_000_000_000) == 3 * 3_579_545)
    #expect(again.state(now: day) == devices.state(now: 2_000_000_000))
  }

  @Test func stateThatIsCutOffIsNone() {
    let state = PCDevices(hasTimer: false).state(now: 0)
    for count in 0..<state.count { #expect(PCDevices(state: Array(state[..<count]), hasTimer: false, now: 0) == nil) }
    #expect(PCDevices(state: state, hasTimer: false, now: 0) != nil)
  }
}
