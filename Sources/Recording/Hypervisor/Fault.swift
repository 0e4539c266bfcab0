/// A rule that the hypervisor can be told to break on purpose, so that an analyzer can be seen to find it.
///
/// To add one: a case here, a row in `Fault.table`, and an `if faults.contains(.theFault)` where the rule is kept.
public enum Fault: UInt8, Hashable, Sendable, CaseIterable {
  case enterBeforeAcks, mapEarly, resumeNotLast, earlyUnmap, lateUnmap, doubleResume, loseInterrupt, forgetHalt, bornRunning
  case skipNodeTrace, skipMappingTrace, unprotectLinked
  case acceptAnyEntry, acceptOutside, acceptLateRegistration, silentRefusal, openDriverData
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
