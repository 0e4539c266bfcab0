public import Analyzer
internal import Interchange
internal import Reports
public import Symbols
internal import Timeline
public import TraceEvents
public import TraceFormat

/// A trace in Chrome's trace event format (JSON), which the Perfetto UI opens.
///
/// A track a vCPU, with a slice for each stretch of one mode; one for the region's time in the view; one for the host. Signals are slices without length inside
/// those, with an arrow from the one that sends to the one that takes; alerts, findings and holes are instants. Memory does not grow with the trace.
public struct PerfettoExport: ~Copyable, EventExport {
  var writer = TraceEventWriter()
  var machine: MachineLanes
  var flows = SignalFlows()
  let unanswered: UnansweredSignals
  let symbols: GuestSymbols?
  private let about: [(key: String, value: JSON)]
  private let name: String
  private let vcpuCount: Int

  /// What each lane shows, the region's last.
  private var shown: [LaneMode]
  /// Those that are still to come, the next one last.
  private var findings: [Finding]
  private(set) var time: UInt64 = 0
  private var events: UInt64 = 0

  /// `name` is the trace's, as its user calls it; `start` the machine before the first event, where the trace does not begin with the recording; `unanswered`
  /// was shown the whole trace before; `symbols` put names beside addresses.
  public init(
    name: String, producer: String, header: TraceHeader, findings: [Finding], unanswered: UnansweredSignals, from start: MachineState? = nil,
    symbols: GuestSymbols? = nil
  ) {
    self.name = name
    self.unanswered = unanswered
    self.symbols = symbols
    self.findings = findings.map { $0.naming(symbols) }.sorted { $0.seq > $1.seq }
    vcpuCount = header.vcpuCount
    machine = MachineLanes(vcpuCount: header.vcpuCount, from: start)
    shown = Array(repeating: .offline, count: header.vcpuCount) + [.normal]
    about = [("trace", .string(name)), ("producer", .string(producer)), ("format", .string("\(header.major).\(header.minor)"))] + header.members
  }

  // MARK: Tracks

  static let regionTrack: UInt64 = 1
  static let hostTrack: UInt64 = 2
  /// The first vCPU's.
  static let firstTrack: UInt64 = 10

  /// Of a vCPU, or of the host where there is none.
  func track(_ vcpu: UInt16?) -> UInt64 {
    guard let vcpu, Int(vcpu) < vcpuCount else { return Self.hostTrack }
    return Self.firstTrack + UInt64(vcpu)
  }

  public mutating func begin() {
    writer.begin(about)
    writer.name(process: name)
    writer.name(track: Self.regionTrack, "region in the view", place: 0)
    writer.name(track: Self.hostTrack, "host", place: 1)
    for vcpu in 0..<UInt64(vcpuCount) { writer.name(track: Self.firstTrack + vcpu, "vCPU \(vcpu)", place: Self.firstTrack + vcpu) }
  }

  // MARK: Events

  public mutating func take(_ cursor: borrowing EventCursor) {
    switch cursor.kind {
    // Most events are of these kinds, and show nothing.
    case .guestEnter, .guestExit, .writeTrap, .writeResult, .pageWrite, .guestWrite, .pageContents:
      advance(to: cursor.seq, cursor.time)
      showFindings(upTo: cursor.seq)
    default: take(cursor.event)
    }
  }

  private mutating func advance(to seq: UInt64, _ newTime: UInt64) {
    time = max(time, newTime)
    events += 1
    if events == 1 { showEverything(seq) }
  }

  public mutating func take(_ event: Event) {
    advance(to: event.seq, event.time)
    switch machine.apply(event.kind, vcpu: event.vcpu, a: event.a, b: event.b, isFirst: events == 1) {
    case .nothing: break
    case .vcpu(let vcpu): show(vcpu, event.seq)
    case .region: show(vcpuCount, event.seq)
    case .everything: showEverything(event.seq)
    }
    if SignalFlows.concerns(event.kind) { showSignal(event) }
    if event.kind == .alert { showAlert(event) }
    if event.kind == .eventsLost { writer.instant("events lost", "hole", track: Self.hostTrack, at: time, arguments(event)) }
    showFindings(upTo: event.seq)
  }

  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    let hole = Hole(lostEvents: lostEvents, firstSeq: firstSeq, lastSeq: lastSeq, damage: damage)
    if let last = hole.seqs?.upperBound { showFindings(upTo: last) }
    machine.forget()
    if events > 0 { showEverything(hole.seqs?.lowerBound ?? 0) }
    writer.instant(
      "hole", "hole", track: Self.hostTrack, at: time,
      [
        ("detail", .string(hole.what)), ("lost", hole.lost == 0 ? .null : .number(hole.lost)),
        ("firstSeq", .optional(hole.seqs) { .number($0.lowerBound) }), ("lastSeq", .optional(hole.seqs) { .number($0.upperBound) }),
      ])
  }

  public mutating func finish() {
    showFindings(upTo: .max)
    for lane in shown.indices where Self.sliceName(shown[lane], isRegion: lane == vcpuCount) != nil { writer.end(track: laneTrack(lane), at: time) }
    writer.finish()
  }

  private mutating func showFindings(upTo seq: UInt64) {
    while let finding = findings.last, finding.seq <= seq {
      findings.removeLast()
      showFinding(finding)
    }
  }

  // MARK: Slices

  private func laneTrack(_ lane: Int) -> UInt64 { lane == vcpuCount ? Self.regionTrack : Self.firstTrack + UInt64(lane) }

  /// Nil where there is nothing to show.
  private static func sliceName(_ mode: LaneMode, isRegion: Bool) -> String? {
    switch mode {
    case .offline: nil
    case .normal: isRegion ? nil : "normal"
    case .privileged: isRegion ? "mapped" : "privileged"
    case .transit: "first in, last out"
    case .integrity, .stopped, .halted, .unknown: "\(mode)"
    }
  }

  /// Begins and ends slices, where the lane's mode is another one now.
  private mutating func show(_ lane: Int, _ seq: UInt64) {
    let isRegion = lane == vcpuCount
    let mode = isRegion ? machine.region : machine.mode(of: lane)
    guard mode != shown[lane] else { return }
    if Self.sliceName(shown[lane], isRegion: isRegion) != nil { writer.end(track: laneTrack(lane), at: time) }
    if let name = Self.sliceName(mode, isRegion: isRegion) {
      writer.begin(name, isRegion ? "region" : "mode", track: laneTrack(lane), at: time, [("event", .number(seq))])
    }
    shown[lane] = mode
  }

  private mutating func showEverything(_ seq: UInt64) {
    for lane in shown.indices { show(lane, seq) }
  }

  // MARK: Bytes

  public var pendingCount: Int { writer.text.count }

  public mutating func flush(to output: (RawSpan) throws -> Void) rethrows {
    try output(writer.text.bytes)
    writer.text.removeAll()
  }
}
