import Glibc

/// Why stored traces cannot be found, read or written.
public struct SuiteError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }

  init(_ path: String, _ errno: Int32, _ doing: String) {
    // SAFETY: strerror's string is copied at once.
    description = "\(path): \(doing): \(unsafe String(cString: strerror(errno)))"
  }
}
