import Glibc

/// Why a file could not be written.
public struct OutputFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file is there, and was not to be overwritten.
  public let isThere: Bool
  /// The system call's error number, 0 for none.
  public let errno: Int32
  public let description: String

  init(_ path: String, _ errno: Int32, _ doing: String) {
    self.errno = errno
    isThere = false
    // SAFETY: strerror's string is copied at once.
    description = path.isEmpty ? "the name of the file is empty" : "\(path): \(doing): \(unsafe String(cString: strerror(errno)))"
  }

  init(thereIs path: String) {
    errno = EEXIST
    isThere = true
    description = "\(path): not overwritten"
  }

  /// The reader of a pipe left (`| head`): it has what it wanted.
  public var isReaderGone: Bool { errno == EPIPE }
}
