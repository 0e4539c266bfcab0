/// The fixed registers of ACPI's power management (ACPI 6.5, section 4.8.3): events, control, and a timer that runs.
///
/// Nothing in this PC makes an event: the status register stays clear and the interrupt line down. There is one sleeping state, off.
public struct PowerManagement: Hashable, Sendable {
  /// The status register and behind it the enable register, two bytes each (section 4.8.3.1).
  public static let eventPort: UInt16 = 0x600
  public static let eventLength: UInt8 = 4
  /// The control register (section 4.8.3.2.1).
  public static let controlPort: UInt16 = 0x604
  public static let controlLength: UInt8 = 2
  /// The timer (section 4.8.3.3): 32 bits that count on.
  public static let timerPort: UInt16 = 0x608
  public static let timerLength: UInt8 = 4
  public static let timerHertz: UInt64 = 3_579_545
  /// The interrupt of events, as a line of the PC.
  public static let line = 9
  /// What the control register's SLP_TYP field takes for off (S5).
  public static let offType: UInt8 = 5

  static let ports: ClosedRange<UInt16> = eventPort...timerPort + UInt16(timerLength) - 1

  /// Bits of the enable register that are defined: timer, global lock, power button, sleep button, clock; and that PCI Express does not wake.
  private static let enableMask: UInt16 = 0x4721
  /// SCI_EN: there is no mode without ACPI, so it cannot be cleared.
  private static let alwaysInACPIMode: UInt16 = 0x0001
  /// BM_RLD and SLP_TYP. GBL_RLS and SLP_EN are written only.
  private static let controlMask: UInt16 = 0x1c02
  /// SLP_EN, in the register's second byte.
  private static let sleepEnable: UInt8 = 0x20

  private var enable: UInt16 = 0
  private var control: UInt16 = 0
  /// What the timer read at `start`, in nanoseconds.
  private var base: UInt32 = 0
  private var start: UInt64 = 0

  public init() {}

  /// The registers, and what the timer reads.
  func state(now: UInt64) -> [UInt8] { Self.bytes(enable) + Self.bytes(control) + Self.bytes(timer(now)) }
  static let stateSize = 8

  /// From what `state` gave; the timer goes on from there. Nil where it is of another length.
  init?(state: ArraySlice<UInt8>, now: UInt64) {
    guard state.count == Self.stateSize else { return nil }
    let bytes = Array(state)
    enable = (UInt16(bytes[0]) | UInt16(bytes[1]) << 8) & Self.enableMask
    control = (UInt16(bytes[2]) | UInt16(bytes[3]) << 8) & Self.controlMask
    base = (0..<4).reduce(0) { $0 | UInt32(bytes[4 + $1]) << UInt32(8 * $1) }
    start = now
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  private func timer(_ now: UInt64) -> UInt32 {
    base &+ UInt32(truncatingIfNeeded: Oscillator.ticks(in: now &- start, hertz: Self.timerHertz))
  }

  /// Reads a byte of one of `ports`. `now` is in nanoseconds, from any start.
  public func read(_ port: UInt16, now: UInt64) -> UInt8 {
    switch port {
    case Self.eventPort, Self.eventPort + 1: return 0
    case Self.eventPort + 2, Self.eventPort + 3: return Self.bytes(enable)[Int(port - Self.eventPort - 2)]
    case Self.controlPort, Self.controlPort + 1: return Self.bytes(control | Self.alwaysInACPIMode)[Int(port - Self.controlPort)]
    case Self.timerPort...Self.ports.upperBound: return Self.bytes(timer(now))[Int(port - Self.timerPort)]
    default: return PCDevices.nothing
    }
  }

  /// Writes a byte; true where it turns the machine off. A sleeping state that there is not is not entered.
  public mutating func write(_ port: UInt16, _ value: UInt8) -> Bool {
    switch port {
    case Self.eventPort + 2: enable = (enable & 0xff00 | UInt16(value)) & Self.enableMask
    case Self.eventPort + 3: enable = (enable & 0x00ff | UInt16(value) << 8) & Self.enableMask
    case Self.controlPort: control = (control & 0xff00 | UInt16(value)) & Self.controlMask
    case Self.controlPort + 1:
      control = (control & 0x00ff | UInt16(value) << 8) & Self.controlMask
      return value & Self.sleepEnable != 0 && control >> 10 == UInt16(Self.offType)
    // The status register's bits are cleared by ones, and are clear; the timer is read only.
    default: break
    }
    return false
  }
}
