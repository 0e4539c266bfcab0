import TraceEvents

/// The hypercalls of `pagetape_abi.h`, by number.
enum Hypercall: UInt64, Sendable, CaseIterable {
  case version = 0
  case registerEntry, registerPages, setBase, lock, enter, leave, protect, unprotect, privileged, privilegedLeave, ipi, startVCPU, offline, console
  case finish, yield

  static let abiVersion: UInt64 = 1
  /// Pages that one request may name: a limit on what one hypercall costs (and on the page contents that it records).
  static let maximumPages: UInt64 = 4096

  /// How many arguments it takes; only these are recorded, the other registers mean nothing.
  var argumentCount: Int {
    switch self {
    case .version, .lock, .enter, .leave, .privilegedLeave, .offline, .yield: 0
    case .registerEntry, .setBase, .privileged, .finish: 1
    case .unprotect, .ipi, .console: 2
    case .registerPages, .protect, .startVCPU: 3
    }
  }

  /// Status codes of `pagetape_abi.h`.
  enum Status: Int64, Sendable {
    case ok = 0
    case unknown = -1
    case invalid = -2
    case refused = -3
    case exists = -4
    case missing = -5
    case busy = -6
    case malformed = -7
  }

  /// A hypercall as it was made. It is kept while its result is owed (`Activity.inHypercall`).
  struct Request: Hashable, Sendable {
    var number: UInt64
    var arguments: [UInt64]
    var rip: UInt64
    var interruptsEnabled: Bool
    /// The `hypercall` event.
    var event: UInt64

    func argument(_ index: Int) -> UInt64 { index < arguments.count ? arguments[index] : 0 }
  }

  /// What became of a hypercall.
  enum Outcome: Hashable, Sendable {
    case result(Status, value: UInt64)
    /// Refused: the alert action is performed, then `status` is returned.
    case refused(RefusalReason, status: Status)
    /// It does not return: the vCPU left the privileged mode, went offline, or the session ended.
    case noReturn

    static let ok = Outcome.result(.ok, value: 0)
    static func error(_ status: Status) -> Outcome { .result(status, value: 0) }
    static func refusal(_ reason: RefusalReason) -> Outcome { .refused(reason, status: .refused) }
  }
}
