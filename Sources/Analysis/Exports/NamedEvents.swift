public import Analyzer
internal import TraceEvents
public import TraceFormat

/// Who did the events that findings name, and when: found in one look at the trace.
public struct NamedEvents: TracePass, Sendable {
  struct Place {
    /// `Event.host` for the host.
    var vcpu: UInt16
    /// In nanoseconds since the session start.
    var time: UInt64
  }

  /// By number.
  private(set) var places: [UInt64: Place] = [:]
  /// Ascending, those that are still to come.
  private var wanted: ArraySlice<UInt64>

  public init(_ findings: [Finding]) { wanted = Set(findings.flatMap { [$0.seq] + $0.namedEvents }).sorted()[...] }

  public var isDone: Bool { wanted.isEmpty }

  public mutating func consume(_ batch: EventBatch) {
    guard let next = wanted.first, next < batch.firstSeq + UInt64(batch.count) else { return }
    batch.withCursor { cursor in
      while cursor.next() {
        while let first = wanted.first, first < cursor.seq { wanted.removeFirst() }
        guard wanted.first == cursor.seq else { continue }
        places[cursor.seq] = Place(vcpu: cursor.vcpu, time: cursor.time)
        wanted.removeFirst()
      }
    }
  }

  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {}
}
