/// The reset control register of a PC's chipset (Intel, PIIX3 and later data sheets, "RC/RST_CNT").
///
/// It answers bytes only: wider accesses at these ports are for PCI's configuration address, which this PC does not have.
public struct ResetControl: Hashable, Sendable {
  public static let port: UInt16 = 0xcf9
  /// A hard reset (SYS_RST and RST_CPU), for a boot loader's tables to name.
  public static let hardReset: UInt8 = 0x06

  /// RST_CPU: its rise resets.
  private static let trigger: UInt8 = 0x04
  /// SYS_RST and FULL_RST: how thoroughly, which makes no difference here.
  private static let kindMask: UInt8 = 0x0a
  private var kind: UInt8 = 0

  public init() {}

  init(state: UInt8) { kind = state & Self.kindMask }

  var state: UInt8 { kind }

  public func read() -> UInt8 { kind }

  /// Whether this write resets the machine.
  public mutating func resets(_ value: UInt8) -> Bool {
    kind = value & Self.kindMask
    return value & Self.trigger != 0
  }
}
