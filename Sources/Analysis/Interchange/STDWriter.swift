/// Writes traces in RAPID's STD format, a line an event, into a buffer that the caller empties.
public struct STDWriter: ~Copyable {
  /// A name of a thread, a variable or a lock: letters and a number, as in `T3`, and for a part of something another one, as in `V123.4`.
  public struct Name: Sendable {
    public var prefix: StaticString
    public var number: UInt64
    public var part: UInt64?

    public init(_ prefix: StaticString, _ number: UInt64, part: UInt64? = nil) {
      self.prefix = prefix
      self.number = number
      self.part = part
    }
  }

  /// The lines so far.
  public var text = TextBuffer()

  public init() {}

  /// Adds an event. `operand` is what the operation calls for: a variable, a lock, a thread, nothing. RAPID reads locations as numbers below 2^31.
  public mutating func add(_ operation: STDOperation, by thread: Name, _ operand: Name? = nil, location: UInt64) {
    add(thread)
    text.append(UInt8(ascii: "|"))
    text.append(operation.name)
    if let operand {
      text.append(UInt8(ascii: "("))
      add(operand)
      text.append(UInt8(ascii: ")"))
    }
    text.append(UInt8(ascii: "|"))
    text.append(decimal: location)
    text.append(UInt8(ascii: "\n"))
  }

  private mutating func add(_ name: Name) {
    text.append(name.prefix)
    text.append(decimal: name.number)
    guard let part = name.part else { return }
    text.append(UInt8(ascii: "."))
    text.append(decimal: part)
  }
}
