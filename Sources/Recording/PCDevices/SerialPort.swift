/// A serial port: a 16550A that sends at once and never loses a byte (National Semiconductor, PC16550D data sheet).
///
/// A plain value: what it sends is handed back, what it receives is put in, and whether it asks for an interrupt is a property.
public struct SerialPort: Hashable, Sendable {
  /// The first of its eight ports, and its interrupt line, as a PC's first serial port has them.
  public static let basePort: UInt16 = 0x3f8
  public static let line = 4

  private enum Register {
    static let data = 0
    static let interruptEnable = 1
    static let identification = 2
    static let lineControl = 3
    static let modemControl = 4
    static let lineStatus = 5
    static let modemStatus = 6
    static let scratch = 7
  }

  private static let fifoSize = 16

  private var divisor: UInt16 = 12
  private var interruptEnable: UInt8 = 0
  private var lineControl: UInt8 = 0
  private var modemControl: UInt8 = 0
  private var scratch: UInt8 = 0
  private var hasFIFO = false
  /// The transmitter has become empty and nobody has been told yet.
  private var isTransmitterNews = false
  private var received: [UInt8] = []
  /// How many of `received` were taken.
  private var taken = 0

  public init() {}

  /// Its registers, and what came in and was not read yet.
  var state: [UInt8] {
    [
      UInt8(truncatingIfNeeded: divisor), UInt8(truncatingIfNeeded: divisor >> 8), interruptEnable, lineControl, modemControl, scratch, hasFIFO ? 1 : 0,
      isTransmitterNews ? 1 : 0,
    ] + received[taken...]
  }

  /// From what `state` gave; nil where it is too short.
  init?(state: ArraySlice<UInt8>) {
    guard state.count >= 8 else { return nil }
    let bytes = Array(state)
    divisor = UInt16(bytes[0]) | UInt16(bytes[1]) << 8
    (interruptEnable, lineControl, modemControl, scratch) = (bytes[2] & 0x0f, bytes[3], bytes[4] & 0x1f, bytes[5])
    (hasFIFO, isTransmitterNews) = (bytes[6] != 0, bytes[7] != 0)
    received = Array(bytes[8...])
  }

  private var selectsDivisor: Bool { lineControl & 0x80 != 0 }
  private var loopsBack: Bool { modemControl & 0x10 != 0 }
  private var hasData: Bool { taken < received.count }

  /// Bytes that came in and were not read yet.
  public var waiting: Int { received.count - taken }

  /// Whether the interrupt line is up. On a PC it is connected only while OUT2 is set.
  public var wantsInterrupt: Bool { modemControl & 0x08 != 0 && !loopsBack && cause != nil }

  /// The most urgent reason for an interrupt, as the identification register tells it.
  private var cause: UInt8? {
    if interruptEnable & 1 != 0, hasData { return 0x4 }
    if interruptEnable & 2 != 0, isTransmitterNews { return 0x2 }
    return nil
  }

  /// Bytes from the other end.
  public mutating func receive(_ bytes: some Sequence<UInt8>) {
    received.removeFirst(taken)
    taken = 0
    received.append(contentsOf: bytes)
  }

  /// A read of register 0 to 7.
  public mutating func read(_ register: Int) -> UInt8 {
    switch register {
    case Register.data where selectsDivisor: return UInt8(truncatingIfNeeded: divisor)
    case Register.data: return take()
    case Register.interruptEnable: return selectsDivisor ? UInt8(truncatingIfNeeded: divisor >> 8) : interruptEnable
    case Register.identification:
      let cause = cause
      // Told is told.
      if cause == 0x2 { isTransmitterNews = false }
      return (cause ?? 0x1) | (hasFIFO ? 0xc0 : 0)
    case Register.lineControl: return lineControl
    case Register.modemControl: return modemControl
    // The transmitter is always empty.
    case Register.lineStatus: return 0x60 | (hasData ? 1 : 0)
    case Register.modemStatus: return modemStatus
    case Register.scratch: return scratch
    default: return 0xff
    }
  }

  /// A write of register 0 to 7; a byte where it sends one.
  public mutating func write(_ register: Int, _ value: UInt8) -> UInt8? {
    switch register {
    case Register.data where selectsDivisor: divisor = divisor & 0xff00 | UInt16(value)
    case Register.data: return send(value)
    case Register.interruptEnable where selectsDivisor: divisor = divisor & 0xff | UInt16(value) << 8
    case Register.interruptEnable:
      // Asking for it while the transmitter is empty is answered at once.
      if value & 2 != 0, interruptEnable & 2 == 0 { isTransmitterNews = true }
      interruptEnable = value & 0x0f
    case Register.identification:
      hasFIFO = value & 1 != 0
      if value & 2 != 0 { dropReceived() }
    case Register.lineControl: lineControl = value
    case Register.modemControl: modemControl = value & 0x1f
    case Register.scratch: scratch = value
    default: break
    }
    return nil
  }

  private mutating func send(_ value: UInt8) -> UInt8? {
    isTransmitterNews = true
    guard loopsBack else { return value }
    // Its own bytes may be lost: it holds as many as the FIFO.
    if waiting < Self.fifoSize { received.append(value) }
    return nil
  }

  private mutating func take() -> UInt8 {
    guard hasData else { return 0 }
    defer {
      taken += 1
      if taken == received.count { dropReceived() }
    }
    return received[taken]
  }

  private mutating func dropReceived() {
    received.removeAll(keepingCapacity: true)
    taken = 0
  }

  /// The other end is there and ready; in a loop, the port's own outputs.
  private var modemStatus: UInt8 {
    guard loopsBack else { return 0xb0 }
    let (dtr, rts, out1, out2) = (modemControl & 1, modemControl >> 1 & 1, modemControl >> 2 & 1, modemControl >> 3 & 1)
    return rts << 4 | dtr << 5 | out1 << 6 | out2 << 7
  }
}
