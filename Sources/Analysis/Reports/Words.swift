public import TraceEvents
internal import TraceFormat
internal import TreeFormat

/// Names for numbers that a trace holds. Unknown ones stay numbers.
enum Words {
  /// As machines are told it.
  static func endReasonName(_ raw: UInt64) -> String { EndReason(rawValue: raw).map { "\($0)" } ?? "reason \(raw)" }

  static func endReason(_ raw: UInt64) -> String { EndReason(rawValue: raw)?.words ?? "reason \(raw)" }

  static func action(_ raw: UInt8) -> String { AlertAction(rawValue: raw).map { "\($0)" } ?? "action \(raw)" }

  static func driverPages(_ raw: UInt64) -> String { DriverPageKind(rawValue: raw).map { "\($0)" } ?? "kind \(raw)" }

  static func life(_ life: MachineState.Life) -> String {
    switch life {
    case .notStarted: "not started"
    case .online: "online"
    case .offline: "offline"
    }
  }

  static func activity(_ raw: UInt64) -> String {
    let activity = Activity(rawValue: raw)
    let base: String
    switch activity.inIntegrityMode(false) {
    case .running: base = "running"
    case .halted: base = "halted"
    case .inHypercall: base = "in a hypercall"
    default: base = "activity \(raw)"
    }
    return activity.inIntegrityMode ? base + " in integrity mode" : base
  }

  /// `vcpu3`, or `host`.
  static func lane(_ vcpu: UInt16) -> String { vcpu == Event.host ? "host" : "vcpu\(vcpu)" }

  /// `event 7`, `events 7 to 9`.
  static func events(_ range: Range<UInt64>) -> String {
    if range.upperBound - range.lowerBound == 1 { return "event \(range.lowerBound)" }
    return "events \(Count.grouped(range.lowerBound)) to \(Count.grouped(range.upperBound - 1))"
  }
}

extension EndReason {
  /// For people; its name is for machines.
  public var words: String {
    switch self {
    case .guestFinished: "guest finished"
    case .interrupted: "interrupted"
    case .suspendedByAlert: "suspended by an alert"
    case .terminatedByAlert: "terminated by an alert"
    case .tripleFault: "triple fault"
    case .emulationFailure: "emulation failure"
    case .internalError: "internal error"
    case .sizeCap: "size cap"
    case .diskFull: "disk full"
    case .allVCPUsHalted: "all vCPUs halted"
    }
  }
}

extension MachineState.VCPU {
  /// Whether it has something to go back to: what was stopped or interrupted.
  var owesReturn: Bool { place == .stopped || place == .privileged || place == .leaving }
}

extension TreeNode {
  var entryCount: Int {
    switch body {
    case .interior(let children): children.count
    case .leaf(let mappings): mappings.count
    }
  }
}
