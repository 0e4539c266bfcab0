/// Why a kernel cannot be booted: where in the file, what was expected and what was seen, without a full stop.
public struct LinuxBootError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: Hashable, Sendable {
    /// The file ends before something that its headers name.
    case truncated
    /// A kernel, but not one that can be started here: not 64-bit, or packed in a way that is not known.
    case unsupported
    /// The file says what cannot be.
    case malformed
    /// The kernel, the initial RAM disk or the command line does not fit.
    case tooLarge
  }

  public let code: Code
  /// Byte offset in the file, nil where it is not a place in the file.
  public let offset: UInt64?
  public let detail: String

  init(_ code: Code, offset: UInt64? = nil, _ detail: String) {
    self.code = code
    self.offset = offset
    self.detail = detail
  }

  public var description: String { offset.map { "offset 0x\(String($0, radix: 16)): \(detail)" } ?? detail }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
