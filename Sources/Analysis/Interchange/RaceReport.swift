public import HappensBefore

/// Writes the racy events of a trace, as text or as JSON, into a buffer that is emptied as it fills; a line an event, however many there are.
public struct RaceReport: ~Copyable {
  public enum Format: Sendable { case text, json }

  /// Symbols that addresses lie in; nil for one that lies in none.
  public struct Names: Sendable {
    public var location: String?
    public var variable: String?

    public init(location: String?, variable: String?) {
      self.location = location
      self.variable = variable
    }
  }

  private let format: Format
  private var text = TextBuffer()
  private var count = 0
  private let output: (RawSpan) throws -> Void

  /// `output` is called with the next bytes of the report. A report as text is a list, for whose head the caller knows more words.
  public init(_ format: Format, _ semantics: RaceDetector.Semantics, events: UInt64, to output: @escaping (RawSpan) throws -> Void) {
    self.format = format
    self.output = output
    guard format == .json else { return }
    text.append("{\"semantics\": \"")
    text.append(semantics.rawValue)
    text.append("\", \"events\": ")
    text.append(decimal: events)
    text.append(", \"races\": [")
  }

  /// Adds a racy event: its number, and UTF-8 that names its thread, location and variable. With `names` a location and a
  /// variable that are addresses have these beside them.
  public mutating func add(event: UInt64, isWrite: Bool, thread: RawSpan, location: RawSpan, variable: RawSpan, names: Names? = nil) throws {
    switch format {
    case .text:
      text.append("event ")
      text.append(decimal: event)
      text.append("  ")
      text.append(thread)
      text.append(isWrite ? " writes " : " reads ")
      text.append(variable)
      append(besides: names?.variable)
      text.append(" at ")
      text.append(location)
      append(besides: names?.location)
      text.append("\n")
    case .json:
      text.append(count == 0 ? "\n" : ",\n")
      text.append("{\"event\": ")
      text.append(decimal: event)
      text.append(", \"thread\": ")
      text.append(quoted: thread)
      text.append(", \"location\": ")
      text.append(quoted: location)
      if let names { append(", \"locationSymbol\": ", names.location) }
      text.append(", \"variable\": ")
      text.append(quoted: variable)
      if let names { append(", \"variableSymbol\": ", names.variable) }
      text.append("}")
    }
    count += 1
    if text.count > 1 << 16 { try flush() }
  }

  private mutating func append(besides name: String?) {
    guard let name else { return }
    text.append(" (")
    text.append(name)
    text.append(")")
  }

  private mutating func append(_ key: StaticString, _ name: String?) {
    text.append(key)
    // SAFETY: bytes of bytes.
    if let name { unsafe text.append(quoted: name.utf8Span.span.bytes) } else { text.append("null" as StaticString) }
  }

  /// Ends the report, and hands on what is left of it.
  public mutating func end() throws {
    if format == .json { text.append(count == 0 ? "]}\n" : "\n]}\n") }
    try flush()
  }

  private mutating func flush() throws {
    try output(text.bytes)
    text.removeAll()
  }
}
