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
}
