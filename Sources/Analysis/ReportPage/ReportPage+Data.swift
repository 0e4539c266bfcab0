internal import Analyzer
internal import Inspection
internal import Reports
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
      ("verdict", verdict.json),
      ("statements", .object(Set(verdict.findings.map(\.rule)).sorted { $0.name < $1.name }.map { ($0.name, .string($0.statement)) })),
      ("timeline", timeline.json),
      ("events", .array(timeline.events.map(Self.json))),
      ("snapshots", .array(snapshots.map { $0.json(limit: Self.tracesShown) })),
      ("symbols", .object(symbols.map { ($0.address, .string($0.name)) })),
    ])
  }

  /// Ranges of write traces listed of one snapshot.
  private static let tracesShown = 64

  private static func json(_ event: Event) -> JSON {
    .array([
      .number(event.seq), .number(event.time), event.vcpu == Event.host ? .null : .number(UInt64(event.vcpu)), .string(event.kind.name), .string(event.story),
      event.rip == 0 ? .null : .hex(event.rip),
    ])
  }

  /// The names of all instruction addresses in the data, by address.
  private var symbols: [(address: String, name: String)] {
    var addresses = Set(timeline.events.map(\.rip))
    for finding in verdict.findings {
      addresses.insert(finding.rip ?? 0)
      if case .race(let first, let second, _) = finding.evidence { addresses.formUnion([first.rip ?? 0, second.rip ?? 0]) }
    }
    for snapshot in snapshots { addresses.formUnion(snapshot.state.vcpus.map(\.rip)) }
    return addresses.sorted().compactMap { address in symbol(address).map { (Hex.text(address), $0) } }
  }
}
