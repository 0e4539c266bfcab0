import ELFFormat

/// Why a guest cannot be loaded: which file, where in it, what was expected.
public struct GuestImageError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: Hashable, Sendable {
    /// No built-in guest of that name, and no file.
    case unknownGuest
    /// The operating system said no; the detail says what it said.
    case unreadable
    case empty
    case tooLarge
    /// The file ends before something that its headers name.
    case truncated
    /// An ELF, but not one that can run here: not 64-bit, not x86-64, not static.
    case unsupported
    /// A header says what cannot be.
    case malformed
    /// Two segments, or a segment and what the loader puts there, share addresses.
    case overlap
    /// A segment or the entry point lies outside guest memory.
    case outOfMemory
  }

  public let code: Code
  /// The file's path or the name as given.
  public let file: String
  /// Byte offset in the file of what is wrong, nil where it is not a place in the file.
  public let offset: UInt64?
  /// What was expected and what was seen, without a full stop.
  public let detail: String

  init(_ code: Code, file: String, offset: UInt64? = nil, detail: String) {
    self.code = code
    self.file = file
    self.offset = offset
    self.detail = detail
  }

  init(_ error: ELFError, file: String) {
    let code: Code =
      switch error.code {
      case .unreadable: .unreadable
      case .truncated: .truncated
      case .unsupported: .unsupported
      case .malformed: .malformed
      }
    self.init(code, file: file, offset: error.offset, detail: error.detail)
  }

  public var description: String {
    switch code {
    case .unknownGuest: "no guest named '\(file)': \(detail)"
    default: offset.map { "\(file): offset 0x\(String($0, radix: 16)): \(detail)" } ?? "\(file): \(detail)"
    }
  }
}
