internal import Interchange
internal import Reports
public import Symbols
public import TraceEvents

/// A trace as a table (RFC 4180): a row an event, and one for what is missing, with columns that do not depend on the trace.
///
/// What a kind of event does not carry is empty. Addresses and digests are hex: no reader's floating point rounds them. Numbers are signed 64-bit integers,
/// so that a column of them is one of integers everywhere.
public struct CSVExport: ~Copyable, EventExport {
  public static let columns = [
    "seq", "time_ns", "vcpu", "kind", "gpa", "gpa_symbol", "rip", "rip_symbol", "cause", "a", "b", "c", "d", "data", "detail",
  ]

  private let symbols: GuestSymbols?
  private var text = TextBuffer()
  private var isFirst = true
  /// Of the last event: when a hole begins.
  private var time: UInt64 = 0

  /// `symbols` put names beside addresses: in columns of their own, and in `detail`.
  public init(symbols: GuestSymbols? = nil) { self.symbols = symbols }

  public mutating func begin() {
    for name in Self.columns { add(name) }
    endRow()
  }

  public mutating func take(_ event: Event) {
    let columns = event.kind.row?.columns ?? []
    time = event.time
    add(decimal: event.seq)
    add(decimal: event.time)
    if event.vcpu == Event.host { add("") } else { add(decimal: UInt64(event.vcpu)) }
    add(event.kind.name)
    add(address: event.gpa, columns.contains(.gpa)) { $0.place(gpa: $1) }
    add(address: event.rip, columns.contains(.rip)) { $0.place(rip: $1) }
    if event.cause > 0 { add(decimal: event.cause) } else { add("") }
    add(number: event.a, columns.contains(.a))
    add(number: event.b, columns.contains(.b))
    add(columns.contains(.c) ? Hex.text(event.c) : "")
    add(number: event.d, columns.contains(.d))
    add(columns.contains(.data) ? Hex.text(event.data) : "")
    add(event.story(symbols))
    endRow()
  }

  /// A row of the kind `hole`: `seq` is the first missing number, `a` how many there are, `b` the last one.
  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    let hole = Hole(lostEvents: lostEvents, firstSeq: firstSeq, lastSeq: lastSeq, damage: damage)
    add(hole.seqs.map { "\($0.lowerBound)" } ?? "")
    add(decimal: time)
    add("")
    add("hole")
    for _ in 0..<5 { add("") }
    add(hole.lost == 0 ? "" : "\(hole.lost)")
    add(hole.seqs.map { "\($0.upperBound)" } ?? "")
    for _ in 0..<3 { add("") }
    add(hole.what)
    endRow()
  }

  public mutating func finish() {}

  // MARK: Fields

  private mutating func next() {
    if !isFirst { text.append(UInt8(ascii: ",")) }
    isFirst = false
  }

  private mutating func endRow() {
    text.append("\r\n" as StaticString)
    isFirst = true
  }

  private mutating func add(decimal value: UInt64) {
    next()
    text.append(decimal: value)
  }

  private mutating func add(number value: UInt64, _ isCarried: Bool) { add(isCarried ? "\(Int64(bitPattern: value))" : "") }

  private mutating func add(address: UInt64, _ isCarried: Bool, _ place: (GuestSymbols, UInt64) -> SymbolTable.Place?) {
    add(isCarried ? Hex.text(address) : "")
    add(isCarried ? symbols.flatMap { place($0, address) }?.text ?? "" : "")
  }

  /// In quotation marks where it has to be.
  private mutating func add(_ field: String) {
    next()
    guard field.utf8.contains(where: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == 10 || $0 == 13 }) else { return text.append(field) }
    text.append(UInt8(ascii: "\""))
    for byte in field.utf8 {
      if byte == UInt8(ascii: "\"") { text.append(byte) }
      text.append(byte)
    }
    text.append(UInt8(ascii: "\""))
  }

  public var pendingCount: Int { text.count }

  public mutating func flush(to output: (RawSpan) throws -> Void) rethrows {
    try output(text.bytes)
    text.removeAll()
  }
}
