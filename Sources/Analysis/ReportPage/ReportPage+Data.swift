internal import Analyzer
internal import Inspection
internal import Reports
internal import Symbols
internal import Timeline
internal import TraceEvents
internal import TraceFormat

extension ReportPage {
  /// All that the scripts know of the trace.
  var data: JSON {
    .object([
      ("name", .string(name)),
      ("producer", .string(producer)),
      ("summary", summary.json),
      ("verdict", verdict.naming(symbols).json),
      ("statements", .object(Set(verdict.findings.map(\.rule)).sorted { $0.name < $1.name }.map { ($0.name, .string($0.statement)) })),
      ("timeline", timeline.json),
      ("events", .array(timeline.events.map(json))),
      ("snapshots", .array(snapshots.map { $0.json(limit: Self.tracesShown) })),
      ("symbols", .object([("rip", names(of: rips) { $0.place(rip: $1) }), ("gpa", names(of: gpas) { $0.place(gpa: $1) })])),
    ])
  }

  /// Ranges of write traces listed of one snapshot.
  private static let tracesShown = 64

  private func json(_ event: Event) -> JSON {
    .array([
      .number(event.seq), .number(event.time), event.vcpu == Event.host ? .null : .number(UInt64(event.vcpu)), .string(event.kind.name),
      .string(event.story(symbols)),
    ])
  }

  /// Names by address; empty where there are no symbols.
  private func names(of addresses: Set<UInt64>, _ place: (GuestSymbols, UInt64) -> SymbolTable.Place?) -> JSON {
    guard let symbols else { return .object([]) }
    return .object(addresses.sorted().compactMap { address in place(symbols, address).map { (Hex.text(address), .string($0.text)) } })
  }

  /// The instruction pointers that the scripts show.
  private var rips: Set<UInt64> {
    var rips: Set<UInt64> = []
    for finding in verdict.findings { rips.formUnion(([finding.rip] + finding.accesses.map(\.rip)).compactMap { $0 }) }
    rips.formUnion(verdict.stopped.byInstruction.map(\.rip))
    for snapshot in snapshots {
      rips.formUnion(snapshot.state.vcpus.map(\.rip))
      if let entry = snapshot.state.entryPoint { rips.insert(entry) }
    }
    return rips
  }

  /// The guest-physical addresses that they show.
  private var gpas: Set<UInt64> {
    var gpas: Set<UInt64> = []
    for finding in verdict.findings { gpas.formUnion(([finding.gpa] + finding.accesses.map(\.gpa)).compactMap { $0 }) }
    gpas.formUnion(verdict.stopped.byInstruction.map(\.gpa))
    gpas.formUnion(timeline.alerts.marks.map(\.gpa))
    gpas.formUnion(timeline.writes.cells.keys.map { $0 << (12 + timeline.writes.shift) })
    for snapshot in snapshots {
      gpas.insert(snapshot.region.start)
      gpas.formUnion(snapshot.state.driverPages.map(\.gpa))
      gpas.formUnion(snapshot.state.tracedPages.prefix(Self.tracesShown).map { $0.lowerBound * guestPageSize })
      gpas.formUnion(snapshot.tree.entries.map(\.gpa))
      if let base = snapshot.state.basePointer { gpas.insert(base) }
    }
    return gpas
  }
}
