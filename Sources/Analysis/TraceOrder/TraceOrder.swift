public import TraceEvents

/// Which events of a trace waited for which: the edges of happens-before between vCPUs, beside each vCPU's program order.
///
/// An edge exists only where somebody waited. Most events that wait name what they waited for, in `cause` or in their data; the rest is what the
/// protocol itself makes one event wait for (US20180307829A1): a next-in for the first entry, the last exit for the exits before it, a stop signal for
/// the wake-up before it, a trapped write for the trace that made it trap. The recorder's own locks order nothing.
public struct TraceOrder: ~Copyable {
  /// The events that the one just taken waited for, earlier events of any vCPU. Some may be of its own vCPU; that says nothing new.
  public private(set) var sources: [UInt64] = []

  /// By vCPU: the event that last let it out of the stop state or the mode, 0 for none.
  private var wakes: [UInt64]
  /// By vCPU: the event by which it went offline, 0 for one that is not, or that a map waited for since.
  private var offlines: [UInt64]
  /// By vCPU: the interrupts for the mode that no entry has served yet. One that coalesced into another is served with it.
  private var latched: [[UInt64]]
  /// The interrupts that were raised and not delivered yet, likewise.
  private var raised: [Line: [UInt64]] = [:]
  private var lastUnmap: UInt64 = 0
  private var rendezvous = Rendezvous()
  private var traces = TraceOrigins()

  private struct Line: Hashable {
    var target: UInt64
    var vector: UInt64
  }

  /// More that coalesced are not kept: the last ones are.
  private static let coalescedLimit = 64

  /// What later events of a rendezvous wait for.
  private struct Rendezvous {
    var number: UInt64 = 0
    var firstEntry: UInt64 = 0
    /// Since the last one out.
    var exits: [UInt64] = []
    var handOver: UInt64 = 0
  }

  public init(vcpuCount: Int) {
    wakes = Array(repeating: 0, count: vcpuCount)
    offlines = wakes
    latched = Array(repeating: [], count: vcpuCount)
  }

  /// Whether an event of this kind may wait for another, or be waited for. All others are in program order alone.
  public static func concerns(_ kind: EventKind) -> Bool { isSource(kind) || isTarget(kind) }

  /// Whether a later event may wait for an event of this kind.
  public static func isSource(_ kind: EventKind) -> Bool {
    switch kind {
    case .vcpuStart, .vcpuOffline, .interruptRaise, .privilegedRaise, .stopSend, .stopAck, .modeEnter, .modeExit, .regionUnmap, .resumeSend, .resumeTake,
      .modeReturn, .traceInstall:
      true
    default: false
    }
  }

  /// Whether a later event may wait for this one: of the entries, for those alone that open the mode.
  static func isSource(_ event: borrowing Event) -> Bool {
    isSource(event.kind) && (event.kind != .modeEnter || event.a == EntryPath.first.rawValue || event.a == EntryPath.handedOver.rawValue)
  }

  /// Whether what such an event waited for is waited for by nobody else: it need not be kept. (A faulty recorder's second one finds it gone.)
  public static func isOnlyReceiver(_ kind: EventKind) -> Bool {
    switch kind {
    case .stopSend, .stopAck, .regionMap, .resumeTake: true
    default: false
    }
  }

  private static func isTarget(_ kind: EventKind) -> Bool {
    switch kind {
    case .vcpuOnline, .vcpuUnhalt, .interruptDeliver, .rendezvousClaim, .regionMap, .writeTrap, .traceRemove: true
    default: false
    }
  }

  /// The installations that carried traces are known from.
  var installs: Set<UInt64> { traces.seqs }

  /// The event that put the trace on a page, 0 where there is none.
  func installed(on frame: UInt64) -> UInt64 { traces.installed(on: frame) }

  /// Takes the next event of the trace, and fills in `sources`.
  public mutating func take(_ event: borrowing Event) {
    sources.removeAll(keepingCapacity: true)
    switch event.kind {
    case .stopAck, .resumeSend: waitFor(event.cause)
    case .vcpuOnline: takeOnline(event)
    case .vcpuOffline:
      waitFor(event.cause)
      if Int(event.vcpu) < offlines.count { offlines[Int(event.vcpu)] = event.seq }
    case .interruptRaise: Self.coalesce(event.seq, into: &raised[Line(target: event.a, vector: event.b), default: []])
    case .vcpuUnhalt: takeDelivery(event, vector: nil)
    case .interruptDeliver: takeDelivery(event, vector: event.a)
    case .privilegedRaise:
      if event.a < UInt64(latched.count) { Self.coalesce(event.seq, into: &latched[Int(event.a)]) }
    case .rendezvousClaim: waitForLatched(event)
    case .regionUnmap:
      waitFor(event.cause)
      lastUnmap = event.seq
    case .stopSend:
      if event.a < UInt64(wakes.count) { waitFor(wakes[Int(event.a)]) }
    case .regionMap: takeMap(event)
    case .modeEnter: takeEntry(event)
    case .modeExit: takeExit(event)
    case .resumeTake:
      waitFor(event.cause)
      noteWake(event)
    case .modeReturn: noteWake(event)
    case .traceInstall: traces.install(event)
    case .traceRemove: traces.remove(event)
    case .writeTrap: waitFor(installed(on: event.gpa >> 12))
    default: break
    }
  }

  /// A hole in the trace: what was sent before it is not waited for behind it, as far as anybody knows.
  public mutating func forget() {
    sources.removeAll()
    for index in wakes.indices {
      wakes[index] = 0
      offlines[index] = 0
      latched[index] = []
    }
    raised = [:]
    lastUnmap = 0
    rendezvous = Rendezvous()
    traces = TraceOrigins()
  }

  private mutating func waitFor(_ seq: UInt64) {
    if seq != 0 { sources.append(seq) }
  }

  /// The map waits for its acks; and nobody who is offline was waited for but by finding it so.
  private mutating func takeMap(_ event: borrowing Event) {
    for seq in event.words { waitFor(seq) }
    for index in offlines.indices where offlines[index] != 0 {
      waitFor(offlines[index])
      offlines[index] = 0
    }
  }

  /// A vCPU that is not born stopped came online because it found the mode free: after the last unmap.
  private mutating func takeOnline(_ event: borrowing Event) {
    waitFor(event.cause)
    if Int(event.vcpu) < offlines.count { offlines[Int(event.vcpu)] = 0 }
    if event.a == 0 { waitFor(lastUnmap) }
  }

  private static func coalesce(_ seq: UInt64, into list: inout [UInt64]) {
    if list.count >= coalescedLimit { list.removeFirst() }
    list.append(seq)
  }

  /// A delivery is that of the interrupt it names, and of those that coalesced into it.
  private mutating func takeDelivery(_ event: borrowing Event, vector: UInt64?) {
    waitFor(event.cause)
    if let vector {
      for seq in raised.removeValue(forKey: Line(target: UInt64(event.vcpu), vector: vector)) ?? [] where seq != event.cause { waitFor(seq) }
    } else if let line = raised.first(where: { $0.key.target == UInt64(event.vcpu) && $0.value.contains(event.cause) }) {
      for seq in line.value where seq != event.cause { waitFor(seq) }
    }
  }

  private mutating func waitForLatched(_ event: borrowing Event) {
    waitFor(event.cause)
    guard Int(event.vcpu) < latched.count else { return }
    for seq in latched[Int(event.vcpu)] where seq != event.cause { waitFor(seq) }
  }

  private mutating func noteWake(_ event: borrowing Event) {
    if Int(event.vcpu) < wakes.count { wakes[Int(event.vcpu)] = event.seq }
  }

  private mutating func turn(to number: UInt64) {
    if number != rendezvous.number { rendezvous = Rendezvous(number: number) }
  }

  /// The first entry waits for the map by program order; each next one waits until the first one is in.
  private mutating func takeEntry(_ event: borrowing Event) {
    turn(to: event.b)
    // Before the interrupts: whoever was told of the entry mostly knows of them.
    switch EntryPath(rawValue: event.a) {
    case .first: rendezvous.firstEntry = event.seq
    case .next: waitFor(rendezvous.firstEntry)
    case .handedOver:
      waitFor(rendezvous.handOver)
      rendezvous.firstEntry = event.seq
    case nil: break
    }
    waitForLatched(event)
    if Int(event.vcpu) < latched.count { latched[Int(event.vcpu)].removeAll(keepingCapacity: true) }
  }

  private mutating func takeExit(_ event: borrowing Event) {
    turn(to: event.b)
    if event.a != ExitPath.notLast.rawValue {
      sources += rendezvous.exits
      rendezvous.exits.removeAll(keepingCapacity: true)
    }
    if event.a == ExitPath.handOver.rawValue { rendezvous.handOver = event.seq }
    if event.a != ExitPath.last.rawValue { rendezvous.exits.append(event.seq) }
  }
}
