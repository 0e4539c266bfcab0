/// Why bytes are not an ELF file that can be read here: where, and what was expected.
public struct ELFError: Error, Hashable, Sendable {
  public enum Code: Hashable, Sendable {
    /// The operating system said no; the detail says what it said.
    case unreadable
    /// The file ends before something that its headers name.
    case truncated
    /// An ELF, but not 64-bit, not x86-64, or not linked.
    case unsupported
    /// A header says what cannot be.
    case malformed
  }

  public let code: Code
  /// Byte offset in the file, nil where it is not a place in the file.
  public let offset: UInt64?
  /// What was expected and what was seen, without a full stop.
  public let detail: String

  public init(_ code: Code, offset: UInt64? = nil, _ detail: String) {
    self.code = code
    self.offset = offset
    self.detail = detail
  }
}
