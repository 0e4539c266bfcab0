/// As much of a PC's keyboard controller as resets the machine. There is no keyboard.
public struct KeyboardController: Hashable, Sendable {
  public static let dataPort: UInt16 = 0x60
  public static let commandPort: UInt16 = 0x64

  private static let pulseReset: UInt8 = 0xfe
  /// Bytes that never end to be read, and room to write: a driver that empties it first soon gives up, and one that waits to write need not wait.
  private static let status: UInt8 = 0x01

  public init() {}

  public func read(_ port: UInt16) -> UInt8 { port == Self.commandPort ? Self.status : 0 }

  /// Whether this write resets the machine.
  public func resets(_ port: UInt16, _ value: UInt8) -> Bool { port == Self.commandPort && value == Self.pulseReset }
}
