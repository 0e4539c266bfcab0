/// A rule that a trace either keeps or breaks. The raw value is the name that users see and type; stable once released.
public enum Rule: String, CaseIterable, Hashable, Sendable, BitwiseCopyable {
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

  /// The part before the slash.
  public var group: Substring { rawValue.prefix { $0 != "/" } }

  public var severity: Severity {
    switch self {
    case .treeOverTrace: .warning
    case .traceLost, .traceDamaged: .loss
    default: .violation
    }
  }
}

/// How bad a finding is.
public enum Severity: String, Sendable {
  /// A mechanism did not hold. The verdict is `violated`.
  case violation
  /// Cost without protection, or the like. The verdict stays what it is.
  case warning
  /// The trace has a hole: not the recorded machine's fault, but no rule holds across it. The verdict is `incomplete`, unless a rule was
  /// broken besides.
  case loss
}
