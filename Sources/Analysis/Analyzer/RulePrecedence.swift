/// Which of several rules that one event breaks is reported: the more specific one, with the others listed under it.
enum RulePrecedence {
  /// `specific` is reported, `general` is listed under it. Applied through: what the general one covers, the specific one covers too.
  static let pairs: [(specific: Rule, general: Rule)] = [
    (.stopNotLastResumed, .stopRegionExposed),
    (.stopNotLastResumed, .stopUnstoppedPeer),
    (.stopNotLastResumed, .stopWrongWake),
    (.stopNotLastResumed, .stopRanWhileStopped),
    (.stopCPUSetChanged, .stopRegionExposed),
    (.stopCPUSetChanged, .stopUnstoppedPeer),
    (.stopCPUSetChanged, .stopLostSignal),
    (.stopCPUSetChanged, .stopDoubleSignal),
    (.stopEarlyUnmap, .stopEntryUnmapped),
    (.stopEntryUnmapped, .stopUnstoppedPeer),
    (.stopLostSignal, .stopLostInterrupt),
    (.stopWrongWake, .stopLateUnmap),
    (.stopWrongWake, .stopRegionExposed),
    (.stopWrongWake, .stopUnstoppedPeer),
    (.stopRanWhileStopped, .stopRegionExposed),
    (.stopRanWhileStopped, .stopUnstoppedPeer),
    (.stopDoubleFirst, .stopEarlyUnmap),
    (.stopDoubleFirst, .stopRegionExposed),
    (.stopDoubleFirst, .stopUnstoppedPeer),
    (.treeNodeWrite, .treeProtectedWrite),
    (.treeGapWrite, .treeNodeWrite),
    (.treeGapWrite, .treeProtectedWrite),
    (.alertDeniedWriteLanded, .treeNodeWrite),
    (.alertDeniedWriteLanded, .treeProtectedWrite),
    (.alertDeniedWriteLanded, .integrityDriverWrite),
    (.integrityRegistration, .treeBasePointer),
  ]

  /// Whether one of `rules` is more specific than `rule`.
  static func covered(_ rule: Rule, among rules: Set<Rule>) -> Bool {
    pairs.contains { $0.general == rule && rules.contains($0.specific) }
  }

  /// Those of `rules` that `rule` covers, directly or through another of them.
  static func under(_ rule: Rule, among rules: Set<Rule>) -> [Rule] {
    var found: [Rule] = []
    var next = [rule]
    while let specific = next.popLast() {
      for pair in pairs where pair.specific == specific && rules.contains(pair.general) && !found.contains(pair.general) {
        found.append(pair.general)
        next.append(pair.general)
      }
    }
    return found
  }
}
