import PCDevices
import Testing

@Suite struct SerialPortTests {
  /// Bytes that it sent for these writes.
  private static func send(_ port: inout SerialPort, _ bytes: [UInt8]) -> [UInt8] { bytes.compactMap { port.write(0, $0) } }

  @Test func sendsAtOnce() {
    var port = SerialPort()
    #expect(port.read(5) == 0x60)
    #expect(Self.send(&port, [1, 2, 3]) == [1, 2, 3])
    #expect(port.read(5) == 0x60)
  }

  @Test func receivesInOrder() {
    var port = SerialPort()
    port.receive([7, 8])
    #expect(port.read(5) & 1 == 1)
    #expect(port.read(0) == 7)
    port.receive([9])
    #expect(port.waiting == 2)
    #expect([port.read(0), port.read(0)] == [8, 9])
    #expect(port.read(5) & 1 == 0)
    #expect(port.read(0) == 0)
  }

  /// A guest that never looks what its loop gives back makes it hold no more than a FIFO does.
  @Test func aLoopHoldsWhatAFIFODoes() {
    var port = SerialPort()
    _ = port.write(4, 0x10)
    #expect(Self.send(&port, Array(0..<100)).isEmpty)
    #expect(port.waiting == 16)
    #expect((0..<16).map { _ in port.read(0) } == Array(0..<16))
  }

  @Test func theDivisorHidesTwoRegisters() {
    var port = SerialPort()
    _ = port.write(1, 0x01)
    _ = port.write(3, 0x83)
    #expect(port.write(0, 0x34) == nil)
    _ = port.write(1, 0x12)
    #expect([port.read(0), port.read(1)] == [0x34, 0x12])
    _ = port.write(3, 0x03)
    #expect(port.read(1) == 0x01)
    #expect(port.write(0, 0x41) == 0x41)
  }

  /// What a driver does to find out what it has (a 16550A: two FIFO bits, a scratch register, a loop).
  @Test func isFoundToBeA16550A() {
    var port = SerialPort()
    _ = port.write(1, 0)
    #expect(port.read(1) == 0)
    _ = port.write(1, 0xff)
    #expect(port.read(1) == 0x0f)
    _ = port.write(1, 0)
    _ = port.write(7, 0x5a)
    #expect(port.read(7) == 0x5a)
    #expect(port.read(2) & 0xc0 == 0)
    _ = port.write(2, 1)
    #expect(port.read(2) == 0xc1)
    _ = port.write(4, 0x1a)
    #expect(port.read(6) & 0xf0 == 0x90)
    _ = port.write(4, 0)
    #expect(port.read(6) & 0xf0 == 0xb0)
  }

  @Test func aLoopReceivesWhatItSends() {
    var port = SerialPort()
    _ = port.write(4, 0x10)
    #expect(Self.send(&port, [0x55]).isEmpty)
    #expect(port.read(0) == 0x55)
  }

  @Test func interruptsOnlyWhereTheyAreConnected() {
    var port = SerialPort()
    _ = port.write(1, 1)
    port.receive([1])
    #expect(!port.wantsInterrupt)
    _ = port.write(4, 0x08)
    #expect(port.wantsInterrupt)
    #expect(port.read(2) == 0x04)
    _ = port.read(0)
    #expect(!port.wantsInterrupt)
    #expect(port.read(2) == 0x01)
  }

  @Test func anEmptyTransmitterIsNewsOnce() {
    var port = SerialPort()
    _ = port.write(4, 0x08)
    #expect(!port.wantsInterrupt)
    // Asked for, it is told although nothing was sent.
    _ = port.write(1, 2)
    #expect(port.wantsInterrupt)
    #expect(port.read(2) == 0x02)
    #expect(!port.wantsInterrupt)
    #expect(port.read(2) == 0x01)
    _ = port.write(0, 0x41)
    #expect(port.wantsInterrupt)
    // What came in is more urgent, and leaves the other for later.
    _ = port.write(1, 3)
    port.receive([1])
    #expect(port.read(2) == 0x04)
    _ = port.read(0)
    #expect(port.read(2) == 0x02)
  }

  @Test func theFIFOCanBeEmptied() {
    var port = SerialPort()
    port.receive([1, 2, 3])
    _ = port.write(2, 0x03)
    #expect(port.waiting == 0)
    #expect(port.read(5) & 1 == 0)
  }
}
