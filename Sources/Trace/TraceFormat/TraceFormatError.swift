/// Why bytes are not what the format says they are, with the place where it shows.
public struct TraceFormatError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: UInt8, Hashable, Sendable {
    /// Fewer bytes than the format needs.
    case truncated
    /// Not the magic number that belongs here.
    case badMagic
    case badChecksum
    /// A count, length or value outside its limits.
    case outOfRange
    /// Two statements of the same fact differ.
    case inconsistent
    /// zstd could not decode a frame.
    case badFrame
    /// Made by a newer major version, or with a required feature that this reader does not have.
    case unsupported
  }

  public let code: Code
  /// Bytes from the start of whatever was being decoded: a block before compression, or a prologue.
  public let offset: Int
  /// What was expected there, in plain words.
  public let expected: String

  public init(_ code: Code, at offset: Int, expected: String) {
    self.code = code
    self.offset = offset
    self.expected = expected
  }

  public var description: String { "\(code) at byte \(offset): expected \(expected)" }
}
