/// A rule that the hypervisor can be told to break on purpose, so that an analyzer can be seen to find it.
///
/// To add one: a case here, a row in `Fault.table` (in the same place), and an `if faults.contains(.theFault)` where the rule is kept.
public enum Fault: UInt8, Hashable, Sendable, CaseIterable {
  // The stop protocol.
  case enterBeforeAcks, mapEarly, mapLate, resumeNotLast, resumeEarly, earlyUnmap, lateUnmap, runStopped, wrongNumber, wakeOnInterrupt
  case forgetHalt, forgetHypercall, doubleFirst, doubleStop, doubleResume, forgetResume, unaskedAck, uninvited, loseInterrupt
  case bornRunning, loseStart, skipPeer, skipStops, serveRegion, countOneAck
  // The protected-page tree.
  case ignoreMappings, ignoreNodes, skipNodeTrace, skipMappingTrace, unprotectLinked, lateTrace, tornWrite, uncheckedBase, keepTrace
  // Integrity mode.
  case acceptAnyEntry, acceptOutside, acceptLateRegistration, silentRefusal, openDriverData, acceptInterrupts, lateLeave, haltInMode
  case acceptNested, acceptLeave
  // Alerts.
  case dropAlert, wrongAction, lateAlert, spuriousAlert, denyLands

  /// The fault that users call so, nil for none.
  public init?(name: String) {
    guard let entry = Self.table.first(where: { $0.name == name }) else { return nil }
    self = entry.fault
  }

  /// What users are told of it.
  public var entry: Entry { Self.table[Int(rawValue)] }
  public var name: String { entry.name }

  /// One row of the catalogue.
  public struct Entry: Hashable, Sendable {
    public let fault: Fault
    /// What users type, as in `record --fault stop/map-early`.
    public let name: String
    public let description: String
    /// The rules that it must violate whenever `trigger` comes about.
    public let rules: [String]
    /// Further rules that it can violate on some schedules, or with some guests.
    public let may: [String]
    /// What the guest has to do for it to show.
    public let trigger: String
    /// For a fault that leaves a window open: what has to fall into it, and what makes that happen. Nil for one that shows on every schedule.
    public let window: String?
    /// The public issue or commit of real rendezvous code that it models.
    public let models: String?
    /// The built-in guest that triggers it.
    public let guest: String

    init(
      _ fault: Fault, _ name: String, _ description: String, rules: [String], may: [String] = [], trigger: String, window: String? = nil,
      models: String? = nil, guest: String = "integrity"
    ) {
      self.fault = fault
      self.name = name
      self.description = description
      self.rules = rules
      self.may = may
      self.trigger = trigger
      self.window = window
      self.models = models
      self.guest = guest
    }
  }
}

/// A set of faults.
public struct FaultSet: OptionSet, Hashable, Sendable {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  public init(_ fault: Fault) { rawValue = 1 << UInt64(fault.rawValue) }
  public init(_ faults: some Sequence<Fault>) { self = faults.reduce(into: []) { $0.formUnion(FaultSet($1)) } }

  public func contains(_ fault: Fault) -> Bool { rawValue & FaultSet(fault).rawValue != 0 }
}
