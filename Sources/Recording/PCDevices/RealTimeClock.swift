/// A PC's clock with its memory of 128 bytes (Motorola MC146818). It tells the time that it is given, in UTC, and takes none.
public struct RealTimeClock: Hashable, Sendable {
  public static let indexPort: UInt16 = 0x70
  public static let dataPort: UInt16 = 0x71

  /// Which byte tells the century.
  public static let centuryIndex: UInt8 = 0x32

  private static let indexMask: UInt8 = 0x7f
  private var index: UInt8 = 0
  private var memory = [UInt8](repeating: 0, count: 128)

  public init() {}

  /// The index and the memory.
  var state: [UInt8] { [index] + memory }
  static let stateSize = 129

  /// From what `state` gave; nil where it is of another length.
  init?(state: ArraySlice<UInt8>) {
    guard state.count == Self.stateSize, let first = state.first else { return nil }
    index = first & Self.indexMask
    memory = Array(state.dropFirst())
  }

  public mutating func select(_ value: UInt8) { index = value & Self.indexMask }

  public mutating func write(_ value: UInt8) {
    // What tells time or state is not set by the guest.
    if index > 0x0d, index != Self.centuryIndex { memory[Int(index)] = value }
  }

  /// `time` is in seconds since 1970.
  public func read(time: UInt64) -> UInt8 {
    let date = CivilTime(seconds: time)
    switch index {
    case 0x00: return Self.decimal(date.second)
    case 0x02: return Self.decimal(date.minute)
    case 0x04: return Self.decimal(date.hour)
    // Sunday is 1.
    case 0x06: return UInt8(date.weekday + 1)
    case 0x07: return Self.decimal(date.day)
    case 0x08: return Self.decimal(date.month)
    case 0x09: return Self.decimal(date.year % 100)
    case Self.centuryIndex: return Self.decimal(date.year / 100)
    // Not being updated, at the usual rate; 24 hours, in decimal digits; no interrupt; the battery is good.
    case 0x0a: return 0x26
    case 0x0b: return 0x02
    case 0x0c: return 0
    case 0x0d: return 0x80
    default: return memory[Int(index)]
    }
  }

  private static func decimal(_ value: Int) -> UInt8 { UInt8((value / 10) << 4 | value % 10) }
}

/// A moment as the calendar has it (Gregorian, UTC).
struct CivilTime: Hashable {
  var year: Int
  var month: Int
  var day: Int
  /// Sunday is 0.
  var weekday: Int
  var hour: Int
  var minute: Int
  var second: Int

  /// Seconds since 1970.
  init(seconds: UInt64) {
    let days = Int(seconds / 86_400), rest = Int(seconds % 86_400)
    (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
    // 1 January 1970 was a Thursday.
    weekday = (days + 4) % 7
    // Years that begin in March have their leap day at the end: counted in eras of 400 of them, 146,097 days.
    let shifted = days + 719_468
    let (era, dayOfEra) = (shifted / 146_097, shifted % 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  }
}
