public import TraceEvents
public import TraceFormat

/// A trace as it is drawn: a lane for each vCPU and one for the special region, the signals between lanes, alerts, holes, and writes by page.
///
/// It sees each event once. What it keeps is bounded, however long the trace: beyond its limits neighbours are joined, coarser and coarser, but never
/// near an event that is watched.
public struct Timeline: TracePass, Sendable {
  /// Something is missing before an event.
  public struct Hole: Hashable, Sendable {
    public var point: LanePoint
    /// 0 where nobody knows how many.
    public var lost: UInt64
    public var what: String
  }

  /// How much is kept at most.
  public struct Limits: Sendable {
    public var segments = 120_000
    public var arrows = 60_000
    public var alerts = 20_000
    public var pages = 16_384
    public var holes = 1_000

    public init() {}
  }

  /// By vCPU.
  public internal(set) var lanes: [LaneHistory]
  /// `privileged` while the region is in the view, `normal` while it is not.
  public internal(set) var region = LaneHistory()
  public internal(set) var signals: SignalLog
  public internal(set) var alerts: AlertLog
  public internal(set) var writes: WriteHeat
  public internal(set) var holes: [Hole] = []
  /// Holes beyond those kept.
  public internal(set) var moreHoles: UInt64 = 0
  /// The watched events and their neighbours, ascending.
  public internal(set) var events: [Event] = []
  /// Events of the trace.
  public internal(set) var eventCount: UInt64 = 0
  public internal(set) var first = LanePoint(seq: 0, time: 0)
  public internal(set) var last = LanePoint(seq: 0, time: 0)
  /// Segments of fewer events than this were joined; 1 where nothing was.
  public internal(set) var grain: UInt64 = 1
  /// Rendezvous claimed, by vCPU, and stop signals that each took.
  public internal(set) var claims: [UInt64]
  public internal(set) var acks: [UInt64]

  let watch: EventWatch
  let limits: Limits
  var machine: MachineLanes
  /// Ranges of watched events that are still to come.
  var comingShown: ArraySlice<ClosedRange<UInt64>>
  var segmentCount = 0
  var segmentTrigger: Int

  public var isDone: Bool { false }

  /// `start` is the machine before the first event, where the trace does not begin with the recording.
  public init(vcpuCount: Int, watching watch: EventWatch = EventWatch(), from start: MachineState? = nil, limits: Limits = Limits()) {
    self.watch = watch
    self.limits = limits
    lanes = Array(repeating: LaneHistory(), count: vcpuCount)
    claims = Array(repeating: 0, count: vcpuCount)
    acks = Array(repeating: 0, count: vcpuCount)
    signals = SignalLog(vcpuCount: vcpuCount, limit: limits.arrows, keeping: watch.exact)
    alerts = AlertLog(limit: limits.alerts, keeping: watch.exact)
    writes = WriteHeat(limit: limits.pages)
    comingShown = watch.shown[...]
    segmentTrigger = limits.segments
    machine = MachineLanes(vcpuCount: vcpuCount, from: start)
  }

  /// Nothing more comes: signals still under way were not taken.
  public mutating func finish() {
    signals.finish()
    writes.finish()
  }
}
