import TraceEvents

/// Operands whose numbers stand for words, and the words.
struct OperandValues {
  let kind: EventKind
  let operand: String
  let values: [(number: UInt64, name: String)]

  private init<Values: CaseIterable & RawRepresentable>(_ kind: EventKind, _ operand: String, _ type: Values.Type) where Values.RawValue == UInt64 {
    self.init(kind, operand, type.allCases.map { ($0.rawValue, "\($0)") })
  }

  private init(_ kind: EventKind, _ operand: String, _ values: [(number: UInt64, name: String)]) {
    self.kind = kind
    self.operand = operand
    self.values = values
  }

  static let all: [OperandValues] = [
    OperandValues(.sessionEnd, "a", EndReason.self),
    OperandValues(.eventsLost, "b", LossCause.self),
    OperandValues(.guestExit, "a", GuestExitReason.self),
    OperandValues(.writeResult, "a", WriteOutcome.self),
    OperandValues(.regionAccess, "a", AccessKind.self),
    OperandValues(.unmappedAccess, "a", AccessKind.self),
    OperandValues(.driverPagesSet, "b", DriverPageKind.self),
    OperandValues(.refusal, "a", RefusalReason.self),
    OperandValues(.alert, "a", AlertAction.allCases.map { (UInt64($0.rawValue), "\($0)") }),
    OperandValues(.alert, "b", AlertOrigin.self),
    OperandValues(.stopAck, "a", activities),
    OperandValues(.modeEnter, "a", EntryPath.self),
    OperandValues(.modeEnter, "d", activities),
    OperandValues(.modeExit, "a", ExitPath.self),
    OperandValues(.resumeTake, "a", activities),
    OperandValues(.modeReturn, "a", activities),
  ]

  private static let activities: [(number: UInt64, name: String)] = {
    let plain: [(Activity, String)] = [(.running, "running"), (.halted, "halted"), (.inHypercall, "in a hypercall")]
    return plain.map { ($0.rawValue, $1) } + plain.map { ($0.inIntegrityMode(true).rawValue, $1 + ", integrity mode") }
  }()
}
