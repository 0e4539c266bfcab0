/// The devices of a small PC, behind their ports: a serial port, a clock, a keyboard controller, power management and, where KVM does not have it, a timer.
public struct PCDevices: Hashable, Sendable {
  /// What a write did that others must see to.
  public enum Effect: Hashable, Sendable {
    case none
    /// The serial port sent a byte.
    case sent(UInt8)
    case reset
    case powerOff
  }

  public var serial = SerialPort()
  private var clock = RealTimeClock()
  private let keyboard = KeyboardController()
  private var power = PowerManagement()
  private var resetControl = ResetControl()
  private var timer: IntervalTimer?

  /// What reads of a port give where nothing is.
  public static let nothing: UInt8 = 0xff

  public init(hasTimer: Bool) { timer = hasTimer ? IntervalTimer() : nil }

  /// What `init(state:hasTimer:now:)` makes them from again. The interval timer begins anew: nobody waits for it. `now` is as for `read`.
  public func state(now: UInt64) -> [UInt8] { clock.state + power.state(now: now) + [resetControl.state] + serial.state }

  /// Nil where these are not such bytes.
  public init?(state: [UInt8], hasTimer: Bool, now: UInt64) {
    var rest = state[...]
    func take(_ count: Int) -> ArraySlice<UInt8> {
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    guard let clock = RealTimeClock(state: take(RealTimeClock.stateSize)),
      let power = PowerManagement(state: take(PowerManagement.stateSize), now: now),
      let kind = take(1).first, let serial = SerialPort(state: rest)
    else { return nil }
    self.init(hasTimer: hasTimer)
    self.clock = clock
    self.power = power
    resetControl = ResetControl(state: kind)
    self.serial = serial
  }

  private static func serialRegister(_ port: UInt16) -> Int? {
    (SerialPort.basePort..<SerialPort.basePort + 8).contains(port) ? Int(port - SerialPort.basePort) : nil
  }

  private static func isTimer(_ port: UInt16) -> Bool { IntervalTimer.ports.contains(port) || port == IntervalTimer.systemPort }

  /// Reads a byte. `now` is in nanoseconds from any start, `time` in seconds since 1970.
  public mutating func read(_ port: UInt16, now: UInt64, time: UInt64) -> UInt8 {
    if let register = Self.serialRegister(port) { return serial.read(register) }
    if Self.isTimer(port), timer != nil { return timer?.read(port, now: now) ?? Self.nothing }
    switch port {
    case RealTimeClock.dataPort: return clock.read(time: time)
    case PowerManagement.ports: return power.read(port, now: now)
    case ResetControl.port: return resetControl.read()
    case KeyboardController.dataPort, KeyboardController.commandPort: return keyboard.read(port)
    default: return Self.nothing
    }
  }

  /// Writes a byte. `isWhole` where it is not one of several that are written at once.
  public mutating func write(_ port: UInt16, _ value: UInt8, now: UInt64, isWhole: Bool = true) -> Effect {
    if let register = Self.serialRegister(port) { return serial.write(register, value).map { .sent($0) } ?? .none }
    if Self.isTimer(port) {
      timer?.write(port, value, now: now)
      return .none
    }
    switch port {
    case RealTimeClock.indexPort: clock.select(value)
    case RealTimeClock.dataPort: clock.write(value)
    case KeyboardController.commandPort: return keyboard.resets(port, value) ? .reset : .none
    case PowerManagement.ports: return power.write(port, value) ? .powerOff : .none
    case ResetControl.port where isWhole: return resetControl.resets(value) ? .reset : .none
    default: break
    }
    return .none
  }
}
