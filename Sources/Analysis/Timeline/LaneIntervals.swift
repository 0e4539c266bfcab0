internal import TraceEvents
public import TraceFormat

/// A vCPU in one mode, from the event that brought it there to the last one before the next mode.
public struct LaneInterval: Hashable, Sendable {
  public var vcpu: UInt16
  public var mode: LaneMode
  public var from: LanePoint
  /// Number of the last event, and the time at which the mode ended: that of the event after.
  public var through: LanePoint
}

/// The modes of each vCPU, told one by one as they end: nothing is joined, and nothing kept but what has not ended.
///
/// The intervals of a vCPU follow each other without a gap, from the first event to the last.
public struct LaneIntervals: Sendable {
  private var machine: MachineLanes
  private let vcpuCount: Int
  /// By vCPU: what has not ended. Empty before the first event.
  private var open: [(mode: LaneMode, start: LanePoint)] = []
  private var last = LanePoint(seq: 0, time: 0)

  /// `start` is the machine before the first event, where the trace does not begin with the recording.
  public init(vcpuCount: Int, from start: MachineState? = nil) {
    machine = MachineLanes(vcpuCount: vcpuCount, from: start)
    self.vcpuCount = vcpuCount
  }

  /// Takes in the next event; `ended` is called with each interval that it ends.
  public mutating func apply<Failure: Error>(
    _ cursor: borrowing EventCursor, ended: (LaneInterval) throws(Failure) -> Void
  ) throws(Failure) {
    let point = LanePoint(seq: cursor.seq, time: cursor.time)
    let isFirst = open.isEmpty
    if isFirst { open = (0..<vcpuCount).map { (machine.mode(of: $0), point) } }
    last = point
    switch machine.apply(cursor.kind, vcpu: cursor.vcpu, a: cursor.a, b: cursor.b, isFirst: isFirst) {
    case .nothing, .region: return
    case .vcpu(let vcpu): try change(vcpu, at: point, ended)
    case .everything: try changeAll(at: point, ended)
    }
  }

  /// Events are missing after the last one; `lastSeq` is the last of them, 0 where nobody knows.
  public mutating func noteHole<Failure: Error>(lastSeq: UInt64, ended: (LaneInterval) throws(Failure) -> Void) throws(Failure) {
    let point = LanePoint(seq: last.seq &+ 1, time: last.time)
    last.seq = max(last.seq, lastSeq)
    machine.forget()
    try changeAll(at: point, ended)
  }

  /// Nothing more comes.
  public mutating func finish<Failure: Error>(ended: (LaneInterval) throws(Failure) -> Void) throws(Failure) {
    for vcpu in open.indices where open[vcpu].start.seq <= last.seq {
      try ended(LaneInterval(vcpu: UInt16(vcpu), mode: open[vcpu].mode, from: open[vcpu].start, through: last))
    }
    open = []
  }

  private mutating func changeAll<Failure: Error>(at point: LanePoint, _ ended: (LaneInterval) throws(Failure) -> Void) throws(Failure) {
    for vcpu in open.indices { try change(vcpu, at: point, ended) }
  }

  private mutating func change<Failure: Error>(
    _ vcpu: Int, at point: LanePoint, _ ended: (LaneInterval) throws(Failure) -> Void
  ) throws(Failure) {
    let (mode, before) = (machine.mode(of: vcpu), open[vcpu])
    guard mode != before.mode else { return }
    open[vcpu] = (mode, point)
    // The first event may change what it found.
    guard before.start.seq < point.seq else { return }
    try ended(LaneInterval(vcpu: UInt16(vcpu), mode: before.mode, from: before.start, through: LanePoint(seq: point.seq - 1, time: point.time)))
  }
}
