internal import TraceEvents

/// What must follow a trapped write, a refusal or an access to the unmapped region, before its vCPU goes on.
struct Expectation {
  enum Call {
    case nothing
    /// Not known: whatever comes is taken.
    case anything
    case alert(origin: AlertOrigin, action: UInt8)
  }

  enum Subject {
    case write, refusal, regionAccess
  }

  var cause: UInt64
  var vcpu: UInt16
  var gpa: UInt64
  var rip: UInt64
  var subject: Subject
  var call: Call
  /// For a write: what calls for the alert.
  var basis: Protection.Basis?
  /// For a refusal: the hypercall, 0 for none, and a `RefusalReason`.
  var refusedCall: UInt64 = 0
  var refusalReason: UInt64 = 0
  /// For a write: the bytes to be written, little-endian, and how many.
  var attempted: UInt64 = 0
  var count: UInt64 = 0
  /// The alert that came.
  var answer: UInt64?
  var action: UInt64 = 0
  /// For a write: whether bytes that it brought were in memory afterwards and not before.
  var landed = false
  var isDropped = false
  var resultAt: UInt64?
  var isLandingTold = false
  /// The entry into the guest that came before any alert.
  var overdueAt: UInt64 = 0

  var rule: Rule { subject == .refusal ? .integrityRefusalUnanswered : .alertMissing }

  var because: [Finding.Reason] {
    if let basis { return basis.seq == 0 ? [] : [basis.reason] }
    guard refusedCall != 0 else { return [] }
    let reason = RefusalReason(rawValue: refusalReason).map { "\($0)" } ?? "number \(refusalReason)"
    return [Finding.Reason(seq: refusedCall, what: "the hypercall that was refused: \(reason)")]
  }

  var isDenied: Bool { isDropped || (answer != nil && action != UInt64(AlertAction.notify.rawValue)) }

  var expected: String {
    switch call {
    case .nothing, .anything: "no alert"
    case .alert(let origin, let action): "an alert of origin \(origin) with action \(Self.name(UInt64(action))) before vCPU \(vcpu) goes on"
    }
  }

  var subjectText: String {
    switch subject {
    case .write: "the write to \(gpaText(gpa)) that trapped at \(cause)"
    case .refusal: "the refusal at \(cause)"
    case .regionAccess: "the access at \(cause) to \(gpaText(gpa)) in the unmapped region"
    }
  }

  static func name(_ action: UInt64) -> String {
    UInt8(exactly: action).flatMap(AlertAction.init(rawValue:)).map { "\($0)" } ?? "number \(action)"
  }
}
