/// Which operands an event of a kind carries. The bit order is the order of the columns in a frame.
public struct Columns: OptionSet, Hashable, Sendable {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let gpa = Columns(rawValue: 1 << 0)
  public static let rip = Columns(rawValue: 1 << 1)
  public static let cause = Columns(rawValue: 1 << 2)
  public static let a = Columns(rawValue: 1 << 3)
  public static let b = Columns(rawValue: 1 << 4)
  public static let c = Columns(rawValue: 1 << 5)
  public static let d = Columns(rawValue: 1 << 6)
  public static let data = Columns(rawValue: 1 << 7)
}

extension EventKind {
  /// One row of the table of kinds.
  public struct Row: Sendable {
    public let kind: EventKind
    /// The name that users see and type, as in `dump --kind write-trap`.
    public let name: String
    public let columns: Columns
  }

  /// Every kind of this version, by ascending number. A trace carries this table, so that a reader can skip kinds that it does not know.
  public static let table: [Row] = [
    Row(kind: .sessionStart, name: "session-start", columns: [.a]),
    Row(kind: .sessionEnd, name: "session-end", columns: [.a, .data]),
    Row(kind: .eventsLost, name: "events-lost", columns: [.a, .b, .data]),
    Row(kind: .console, name: "console", columns: [.data]),
    Row(kind: .vcpuStart, name: "vcpu-start", columns: [.rip, .cause, .a]),
    Row(kind: .vcpuOnline, name: "vcpu-online", columns: [.cause, .a, .b]),
    Row(kind: .vcpuOffline, name: "vcpu-offline", columns: [.cause, .b]),
    Row(kind: .vcpuHalt, name: "vcpu-halt", columns: [.rip]),
    Row(kind: .vcpuUnhalt, name: "vcpu-unhalt", columns: [.cause]),
    Row(kind: .guestEnter, name: "guest-enter", columns: [.rip]),
    Row(kind: .guestExit, name: "guest-exit", columns: [.rip, .a]),
    Row(kind: .writeTrap, name: "write-trap", columns: [.gpa, .rip, .a, .data]),
    Row(kind: .writeResult, name: "write-result", columns: [.gpa, .cause, .a, .data]),
    Row(kind: .pageWrite, name: "page-write", columns: [.gpa, .a, .data]),
    Row(kind: .pageContents, name: "page-contents", columns: [.gpa, .data]),
    Row(kind: .regionAccess, name: "region-access", columns: [.gpa, .rip, .a, .data]),
    Row(kind: .unmappedAccess, name: "unmapped-access", columns: [.gpa, .rip, .a, .data]),
    Row(kind: .guestWrite, name: "guest-write", columns: [.gpa, .rip, .a, .data]),
    Row(kind: .traceInstall, name: "trace-install", columns: [.gpa, .cause, .a]),
    Row(kind: .traceRemove, name: "trace-remove", columns: [.gpa, .cause, .a]),
    Row(kind: .hypercall, name: "hypercall", columns: [.rip, .a, .data]),
    Row(kind: .hypercallResult, name: "hypercall-result", columns: [.cause, .a, .b]),
    Row(kind: .entryPointSet, name: "entry-point-set", columns: [.rip, .cause]),
    Row(kind: .driverPagesSet, name: "driver-pages-set", columns: [.gpa, .cause, .a, .b]),
    Row(kind: .basePointerSet, name: "base-pointer-set", columns: [.gpa, .cause]),
    Row(kind: .registrationLocked, name: "registration-locked", columns: [.cause]),
    Row(kind: .integrityEnter, name: "integrity-enter", columns: [.rip, .cause]),
    Row(kind: .integrityLeave, name: "integrity-leave", columns: [.rip, .cause]),
    Row(kind: .refusal, name: "refusal", columns: [.rip, .cause, .a]),
    Row(kind: .alert, name: "alert", columns: [.gpa, .rip, .cause, .a, .b]),
    Row(kind: .interruptRaise, name: "interrupt-raise", columns: [.cause, .a, .b]),
    Row(kind: .interruptDeliver, name: "interrupt-deliver", columns: [.cause, .a]),
    Row(kind: .privilegedRaise, name: "privileged-raise", columns: [.cause, .a, .b]),
    Row(kind: .rendezvousClaim, name: "rendezvous-claim", columns: [.cause, .b]),
    Row(kind: .stopSend, name: "stop-send", columns: [.a, .b]),
    Row(kind: .stopAck, name: "stop-ack", columns: [.rip, .cause, .a, .b, .c]),
    Row(kind: .regionMap, name: "region-map", columns: [.gpa, .a, .b, .data]),
    Row(kind: .modeEnter, name: "mode-enter", columns: [.rip, .cause, .a, .b, .c, .d]),
    Row(kind: .modeExit, name: "mode-exit", columns: [.a, .b]),
    Row(kind: .regionUnmap, name: "region-unmap", columns: [.gpa, .cause, .a, .b]),
    Row(kind: .resumeSend, name: "resume-send", columns: [.cause, .a, .b]),
    Row(kind: .resumeTake, name: "resume-take", columns: [.rip, .cause, .a, .b, .c]),
    Row(kind: .rendezvousEnd, name: "rendezvous-end", columns: [.b]),
    Row(kind: .modeReturn, name: "mode-return", columns: [.rip, .a, .b, .c]),
  ]

  /// The kind of this name, nil for none.
  public init?(name: String) {
    guard let row = Self.table.first(where: { $0.name == name }) else { return nil }
    self = row.kind
  }

  /// The row of this kind, nil where this version does not know it.
  public var row: Row? { Self.rows[Int(rawValue)] }

  /// By number: whoever prints events asks several times for each.
  private static let rows: [Row?] = {
    var rows = [Row?](repeating: nil, count: 256)
    for row in table { rows[Int(row.kind.rawValue)] = row }
    return rows
  }()

  /// The name of this kind, or `kind-N`.
  public var name: String { row?.name ?? "kind-\(rawValue)" }
}
