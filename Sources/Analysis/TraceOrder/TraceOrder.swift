public import TraceEvents

/// Which events of a trace waited for which: the edges of happens-before between vCPUs, beside each vCPU's program order.
///
/// An edge exists only where somebody waited. Most events that wait name what they waited for, in `cause` or in their data; the rest is what the
/// protocol itself makes one event wait for (US20180307829A1): a next-in for the first entry, the last exit for the exits before it, a stop signal for
/// the wake-up before it, a trapped write for the trace that made it trap. The recorder's own locks order nothing.
public struct TraceOrder {
  /// The events that the one just taken waited for, earlier events of any vCPU. Some may be of its own vCPU; that says nothing new.
  public private(set) var sources: [UInt64] = []

  /// By vCPU: the event that last let it out of the stop state or the mode, 0 for none.
  private var wakes: [UInt64]
  private var rendezvous = Rendezvous()
  private var traces = TraceOrigins()

  /// What later events of a rendezvous wait for.
  private struct Rendezvous {
    var number: UInt64 = 0
    var firstEntry: UInt64 = 0
    /// Since the last one out.
    var exits: [UInt64] = []
    var handOver: UInt64 = 0
  }

  public init(vcpuCount: Int) { wakes = Array(repeating: 0, count: vcpuCount) }

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

  /// Takes the next event of the trace, and fills in `sources`.
  public mutating func take(_ event: Event) {
    sources.removeAll(keepingCapacity: true)
    switch event.kind {
    case .vcpuOnline, .vcpuOffline, .vcpuUnhalt, .interruptDeliver, .rendezvousClaim, .stopAck, .regionUnmap, .resumeSend: waitFor(event.cause)
    case .stopSend:
      if event.a < UInt64(wakes.count) { waitFor(wakes[Int(event.a)]) }
    case .regionMap: waitForWords(event.data)
    case .modeEnter: takeEntry(event)
    case .modeExit: takeExit(event)
    case .resumeTake:
      waitFor(event.cause)
      noteWake(event)
    case .modeReturn: noteWake(event)
    case .traceInstall: traces.install(event)
    case .traceRemove: traces.remove(event)
    case .writeTrap: waitFor(traces.installed(on: event.gpa >> 12))
    default: break
    }
  }

  /// A hole in the trace: what was sent before it is not waited for behind it, as far as anybody knows.
  public mutating func forget() {
    sources.removeAll()
    for index in wakes.indices { wakes[index] = 0 }
    rendezvous = Rendezvous()
    traces = TraceOrigins()
  }

  private mutating func waitFor(_ seq: UInt64) {
    if seq != 0 { sources.append(seq) }
  }

  private mutating func waitForWords(_ data: [UInt8]) {
    for start in stride(from: 0, to: data.count - data.count % 8, by: 8) {
      waitFor((0..<8).reduce(0) { $0 | UInt64(data[start + $1]) << UInt64($1 * 8) })
    }
  }

  private mutating func noteWake(_ event: Event) {
    if Int(event.vcpu) < wakes.count { wakes[Int(event.vcpu)] = event.seq }
  }

  private mutating func turn(to number: UInt64) {
    if number != rendezvous.number { rendezvous = Rendezvous(number: number) }
  }

  /// The first entry waits for the map by program order; each next one waits until the first one is in.
  private mutating func takeEntry(_ event: Event) {
    turn(to: event.b)
    waitFor(event.cause)
    switch EntryPath(rawValue: event.a) {
    case .first: rendezvous.firstEntry = event.seq
    case .next: waitFor(rendezvous.firstEntry)
    case .handedOver:
      waitFor(rendezvous.handOver)
      rendezvous.firstEntry = event.seq
    case nil: break
    }
  }

  private mutating func takeExit(_ event: Event) {
    turn(to: event.b)
    if event.a != ExitPath.notLast.rawValue {
      sources += rendezvous.exits
      rendezvous.exits.removeAll()
    }
    if event.a == ExitPath.handOver.rawValue { rendezvous.handOver = event.seq }
    if event.a != ExitPath.last.rawValue { rendezvous.exits.append(event.seq) }
  }
}
