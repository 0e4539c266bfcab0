internal import TraceEvents

/// What recorded decisions were based on, besides what they waited for: the state of the protocol, and which pages are traced.
///
/// A hypervisor that finds the mode free claims it; had it been taken, another event would stand there. So an event that was decided by some state
/// stays behind the events that made that state, and before those that change it. These are no edges of happens-before, and hide no race: they keep
/// predictions to what can happen.
struct DecisionOrder {
  /// The last decision about the protocol. Each finds what all before it left.
  private var decision: UInt64 = 0
  /// The last event about registration and integrity mode, likewise.
  private var registration: UInt64 = 0
  private var writes: [UInt64: [UInt64]] = [:]
  private var traps: [UInt64: [UInt64]] = [:]
  /// The last removals, as far back as any window goes.
  private var removals: [(low: UInt64, count: UInt64, seq: UInt64)] = []

  /// The events that this one stays behind.
  mutating func take(_ event: Event) -> [UInt64] {
    trim(event.seq)
    switch event.kind {
    case .privilegedRaise, .rendezvousClaim, .stopSend, .regionMap, .modeEnter, .modeExit, .regionUnmap, .resumeSend, .rendezvousEnd, .vcpuOnline,
      .vcpuOffline:
      defer { decision = event.seq }
      return decision == 0 ? [] : [decision]
    case .entryPointSet, .driverPagesSet, .basePointerSet, .registrationLocked, .integrityEnter, .integrityLeave, .refusal:
      defer { registration = event.seq }
      return registration == 0 ? [] : [registration]
    case .pageWrite, .guestWrite:
      // The page was not traced.
      writes[event.gpa >> 12, default: []].append(event.seq)
      return removals.filter { event.gpa >> 12 >= $0.low && event.gpa >> 12 - $0.low < $0.count }.map(\.seq)
    case .writeTrap:
      traps[event.gpa >> 12, default: []].append(event.seq)
      return []
    case .traceInstall: return take(&writes, event)
    case .traceRemove:
      removals.append((event.gpa >> 12, event.a, event.seq))
      return take(&traps, event)
    default: return []
    }
  }

  private func take(_ accesses: inout [UInt64: [UInt64]], _ event: Event) -> [UInt64] {
    let low = event.gpa >> 12
    let frames = accesses.keys.filter { $0 >= low && $0 - low < event.a }
    return frames.flatMap { accesses.removeValue(forKey: $0) ?? [] }
  }

  /// What is further back than a window is behind everything in it.
  private mutating func trim(_ seq: UInt64) {
    guard seq % Prediction.windowLimit == 0, seq > Prediction.windowLimit else { return }
    let floor = seq - Prediction.windowLimit
    removals.removeAll { $0.seq < floor }
    writes = writes.mapValues { $0.filter { $0 >= floor } }.filter { !$0.value.isEmpty }
    traps = traps.mapValues { $0.filter { $0 >= floor } }.filter { !$0.value.isEmpty }
  }
}
