internal import TraceEvents

/// What a vCPU was last sent and answered, for the words of a finding.
struct Signals {
  var stop: UInt64 = 0
  var stopNumber: UInt64 = 0
  /// It has not acknowledged that stop.
  var isPending = false
  var ack: UInt64 = 0
  var ackNumber: UInt64 = 0
  var resume: UInt64 = 0
  var resumeNumber: UInt64 = 0
}

/// The last rendezvous, for the words of a finding.
struct RendezvousRecord {
  var number: UInt64 = 0
  var map: UInt64 = 0
  /// What the map waited for.
  var waited: Set<UInt64> = []
}

extension RaceAnalysis {
  mutating func noteSignal(_ event: Event) {
    let (index, target) = (Int(event.vcpu), Int(clamping: event.a))
    switch event.kind {
    case .stopSend:
      guard target < vcpus.count else { return }
      vcpus[target].signals.stop = event.seq
      vcpus[target].signals.stopNumber = event.b
      vcpus[target].signals.isPending = true
    case .resumeSend:
      guard target < vcpus.count else { return }
      vcpus[target].signals.resume = event.seq
      vcpus[target].signals.resumeNumber = event.b
    case .stopAck:
      guard index < vcpus.count else { return }
      vcpus[index].signals.ack = event.seq
      vcpus[index].signals.ackNumber = event.b
      vcpus[index].signals.isPending = false
    case .regionMap:
      rendezvous = RendezvousRecord(number: event.b, map: event.seq, waited: Set(event.words))
    case .rendezvousEnd: pruneAll()
    default: break
    }
  }

  /// After a rendezvous most of what happened before is known to everybody.
  private mutating func pruneAll() {
    for frame in pages.keys where (pages[frame]?.kept.count ?? 0) > 64 { pages[frame]?.prune(clocks, vcpuCount: vcpus.count) }
  }
}
