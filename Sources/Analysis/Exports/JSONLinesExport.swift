internal import Interchange
internal import Reports
public import Symbols
public import TraceEvents
public import TraceFormat

/// A trace as JSON Lines: an object a line, each with a `type`.
///
/// The first is the `header`, the last the `end`; between them stand every `event` and every `hole`.
public struct JSONLinesExport: ~Copyable, EventExport {
  private let header: TraceHeader
  private let producer: String
  private let symbols: GuestSymbols?
  private var text = TextBuffer()
  private var tally = Tally()

  /// `symbols` put names beside addresses, in `gpaSymbol`, `ripSymbol` and `detail`.
  public init(header: TraceHeader, producer: String, symbols: GuestSymbols? = nil) {
    self.header = header
    self.producer = producer
    self.symbols = symbols
  }

  public mutating func begin() {
    add("header", [("producer", .string(producer)), ("format", .string("\(header.major).\(header.minor)"))] + header.members)
  }

  public mutating func take(_ event: Event) {
    tally.events += 1
    if event.kind == .eventsLost { tally.lost &+= event.a }
    add("event", event.members(symbols) + [("detail", .string(event.story(symbols)))])
  }

  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    let hole = Hole(lostEvents: lostEvents, firstSeq: firstSeq, lastSeq: lastSeq, damage: damage)
    tally.add(hole)
    add(
      "hole",
      [
        ("firstSeq", .optional(hole.seqs) { .number($0.lowerBound) }), ("lastSeq", .optional(hole.seqs) { .number($0.upperBound) }),
        ("lost", hole.lost == 0 ? .null : .number(hole.lost)), ("detail", .string(hole.what)),
      ])
  }

  public mutating func finish() {
    add("end", [("events", .number(tally.events)), ("holes", .number(tally.holes)), ("lost", .number(tally.lost))])
  }

  private mutating func add(_ type: String, _ members: [(key: String, value: JSON)]) {
    text.append(JSON.object([("type", .string(type))] + members).text)
    text.append(UInt8(ascii: "\n"))
  }

  public var pendingCount: Int { text.count }

  public mutating func flush(to output: (RawSpan) throws -> Void) rethrows {
    try output(text.bytes)
    text.removeAll()
  }
}
