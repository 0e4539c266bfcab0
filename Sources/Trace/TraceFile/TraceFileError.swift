import Glibc
public import TraceEvents

/// Why a trace file could not be written or opened.
public struct TraceFileError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: UInt8, Hashable, Sendable {
    /// A system call failed: see `errno`.
    case system
    /// The file is there, and `force` was not given.
    case exists
    /// The size cap was reached.
    case sizeCap
    /// Not a trace: no header can be found in it.
    case notATrace
    /// A newer version, or a required feature that this version lacks.
    case unsupported
    /// The trace cannot say what was asked of it.
    case outOfRange
  }

  public let code: Code
  public let path: String
  /// Byte offset in the file, where one is to blame.
  public let offset: UInt64?
  /// The system call's error number, 0 for none.
  public let errno: Int32
  /// What was being done, or what was expected.
  public let detail: String

  public init(_ code: Code, path: String, offset: UInt64? = nil, errno: Int32 = 0, detail: String) {
    self.code = code
    self.path = path
    self.offset = offset
    self.errno = errno
    self.detail = detail
  }

  /// The same of a file that goes by another name.
  public func of(_ path: String) -> TraceFileError { TraceFileError(code, path: path, offset: offset, errno: errno, detail: detail) }

  /// There is no room: on the disk, in somebody's quota, or in a file of this file system.
  public var isDiskFull: Bool { errno == ENOSPC || errno == EDQUOT || errno == EFBIG }

  /// What happened, without where.
  public var reason: String {
    // SAFETY: strerror returns a string that lives until the thread's next call of it.
    detail + (errno == 0 ? "" : unsafe ": " + String(cString: strerror(errno)))
  }

  /// The same for the end of a recording that it ended.
  public func reason(dropped: UInt64) -> String { reason + (dropped == 0 ? "" : ", later events not recorded: \(dropped)") }

  /// The end that a recording can have where this happens; nil where it cannot end in order.
  public var endReason: EndReason? { code == .sizeCap ? .sizeCap : isDiskFull ? .diskFull : nil }

  public var description: String {
    let place = offset.map { " at byte \($0)" } ?? ""
    return "\(path)\(place): \(reason)"
  }
}
