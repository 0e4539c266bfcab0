package import TraceEvents
package import TraceFormat

/// Where every vCPU and the region are, folded event by event: what is drawn as lanes.
package struct MachineLanes: Sendable {
  /// What an event may have changed.
  package enum Change: Equatable, Sendable {
    case nothing
    case vcpu(Int)
    case region
    /// Nobody knows any more where anybody is.
    case everything
  }

  private var vcpus: [LaneState]
  /// `privileged` while the region is in the view, `normal` while it is not.
  package private(set) var region: LaneMode

  /// `start` is the machine before the first event, where the trace does not begin with the recording.
  package init(vcpuCount: Int, from start: MachineState?) {
    vcpus = start.map { $0.vcpus.prefix(vcpuCount).map { LaneState($0) } } ?? []
    vcpus += Array(repeating: LaneState(), count: vcpuCount - vcpus.count)
    region = start?.regionIsMapped == true ? .privileged : .normal
  }

  /// Of a vCPU of the machine.
  package func mode(of vcpu: Int) -> LaneMode { vcpus[vcpu].mode }

  /// Takes in an event's kind and operands. Whether it is the first of the trace matters.
  package mutating func apply(_ kind: EventKind, vcpu: UInt16, a: UInt64, b: UInt64, isFirst: Bool) -> Change {
    switch kind {
    case .regionMap, .regionUnmap:
      region = kind == .regionMap ? .privileged : .normal
      return .region
    case .eventsLost:
      // The end of a longer recording begins with the state that it came from.
      if b == LossCause.flightRecorder.rawValue, isFirst { return .nothing }
      forget()
      return .everything
    default:
      guard Int(vcpu) < vcpus.count, vcpus[Int(vcpu)].apply(kind, a: a) else { return .nothing }
      return .vcpu(Int(vcpu))
    }
  }

  /// Events are missing: nobody knows where anybody is, until an event tells.
  package mutating func forget() {
    region = .unknown
    for vcpu in vcpus.indices { vcpus[vcpu].forget() }
  }
}
