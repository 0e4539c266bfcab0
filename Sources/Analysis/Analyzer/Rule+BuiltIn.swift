extension Rule {
  /// The built-in rules. The raw value is the name.
  enum BuiltIn: String, CaseIterable, BitwiseCopyable {
    case treeProtectedWrite = "tree/protected-write"
    case treeNodeWrite = "tree/node-write"
    case treeUntracedNode = "tree/untraced-node"
    case treeUntracedMapping = "tree/untraced-mapping"
    case treeGapWrite = "tree/gap-write"
    case treeMalformed = "tree/malformed"
    case treeBasePointer = "tree/base-pointer"
    case treeOverTrace = "tree/over-trace"
    case alertMissing = "alert/missing"
    case alertWrongAction = "alert/wrong-action"
    case alertSpurious = "alert/spurious"
    case alertLate = "alert/late"
    case alertDeniedWriteLanded = "alert/denied-write-landed"
    case integrityEntryPoint = "integrity/entry-point"
    case integrityRefusalUnanswered = "integrity/refusal-unanswered"
    case integrityRegistration = "integrity/registration"
    case integrityHypercallOutside = "integrity/hypercall-outside"
    case integrityDriverWrite = "integrity/driver-write"
    case integrityInterrupted = "integrity/interrupted"
    case integrityLeaked = "integrity/leaked"
    case integrityUnbalanced = "integrity/unbalanced"
    case stopUnstoppedPeer = "stop/unstopped-peer"
    case stopRegionExposed = "stop/region-exposed"
    case stopRegionAccess = "stop/region-access"
    case stopEntryUnmapped = "stop/entry-unmapped"
    case stopRanWhileStopped = "stop/ran-while-stopped"
    case stopWrongWake = "stop/wrong-wake"
    case stopWrongReturn = "stop/wrong-return"
    case stopEarlyUnmap = "stop/early-unmap"
    case stopLateUnmap = "stop/late-unmap"
    case stopDoubleFirst = "stop/double-first"
    case stopNotLastResumed = "stop/not-last-resumed"
    case stopLostSignal = "stop/lost-signal"
    case stopSpuriousAck = "stop/spurious-ack"
    case stopDoubleSignal = "stop/double-signal"
    case stopUninvitedEntry = "stop/uninvited-entry"
    case stopLostInterrupt = "stop/lost-interrupt"
    case stopCPUSetChanged = "stop/cpu-set-changed"
    case raceStopWindow = "race/stop-window"
    case raceProtectWindow = "race/protect-window"
    case racePages = "race/pages"
    case racePredicted = "race/predicted"
    case traceLost = "trace/lost"
    case traceDamaged = "trace/damaged"
  }

  /// The built-in rules.
  public static let allCases: [Rule] = BuiltIn.allCases.map { Rule($0) }

  /// The groups that are not for rules of a user's own.
  static let builtInGroups = Set(allCases.map(\.group))

  public static var treeProtectedWrite: Rule { Rule(.treeProtectedWrite) }
  public static var treeNodeWrite: Rule { Rule(.treeNodeWrite) }
  public static var treeUntracedNode: Rule { Rule(.treeUntracedNode) }
  public static var treeUntracedMapping: Rule { Rule(.treeUntracedMapping) }
  public static var treeGapWrite: Rule { Rule(.treeGapWrite) }
  public static var treeMalformed: Rule { Rule(.treeMalformed) }
  public static var treeBasePointer: Rule { Rule(.treeBasePointer) }
  public static var treeOverTrace: Rule { Rule(.treeOverTrace) }

  public static var alertMissing: Rule { Rule(.alertMissing) }
  public static var alertWrongAction: Rule { Rule(.alertWrongAction) }
  public static var alertSpurious: Rule { Rule(.alertSpurious) }
  public static var alertLate: Rule { Rule(.alertLate) }
  public static var alertDeniedWriteLanded: Rule { Rule(.alertDeniedWriteLanded) }

  public static var integrityEntryPoint: Rule { Rule(.integrityEntryPoint) }
  public static var integrityRefusalUnanswered: Rule { Rule(.integrityRefusalUnanswered) }
  public static var integrityRegistration: Rule { Rule(.integrityRegistration) }
  public static var integrityHypercallOutside: Rule { Rule(.integrityHypercallOutside) }
  public static var integrityDriverWrite: Rule { Rule(.integrityDriverWrite) }
  public static var integrityInterrupted: Rule { Rule(.integrityInterrupted) }
  public static var integrityLeaked: Rule { Rule(.integrityLeaked) }
  public static var integrityUnbalanced: Rule { Rule(.integrityUnbalanced) }

  public static var stopUnstoppedPeer: Rule { Rule(.stopUnstoppedPeer) }
  public static var stopRegionExposed: Rule { Rule(.stopRegionExposed) }
  public static var stopRegionAccess: Rule { Rule(.stopRegionAccess) }
  public static var stopEntryUnmapped: Rule { Rule(.stopEntryUnmapped) }
  public static var stopRanWhileStopped: Rule { Rule(.stopRanWhileStopped) }
  public static var stopWrongWake: Rule { Rule(.stopWrongWake) }
  public static var stopWrongReturn: Rule { Rule(.stopWrongReturn) }
  public static var stopEarlyUnmap: Rule { Rule(.stopEarlyUnmap) }
  public static var stopLateUnmap: Rule { Rule(.stopLateUnmap) }
  public static var stopDoubleFirst: Rule { Rule(.stopDoubleFirst) }
  public static var stopNotLastResumed: Rule { Rule(.stopNotLastResumed) }
  public static var stopLostSignal: Rule { Rule(.stopLostSignal) }
  public static var stopSpuriousAck: Rule { Rule(.stopSpuriousAck) }
  public static var stopDoubleSignal: Rule { Rule(.stopDoubleSignal) }
  public static var stopUninvitedEntry: Rule { Rule(.stopUninvitedEntry) }
  public static var stopLostInterrupt: Rule { Rule(.stopLostInterrupt) }
  public static var stopCPUSetChanged: Rule { Rule(.stopCPUSetChanged) }

  public static var raceStopWindow: Rule { Rule(.raceStopWindow) }
  public static var raceProtectWindow: Rule { Rule(.raceProtectWindow) }
  public static var racePages: Rule { Rule(.racePages) }
  public static var racePredicted: Rule { Rule(.racePredicted) }

  public static var traceLost: Rule { Rule(.traceLost) }
  public static var traceDamaged: Rule { Rule(.traceDamaged) }
}
