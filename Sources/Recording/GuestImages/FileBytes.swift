import Glibc

/// Reading a whole file with the C library.
package enum FileBytes {
  package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// Reads a regular file of up to `limit` bytes.
  package static func read(_ path: String, limit: UInt64) throws(GuestImageError) -> [UInt8] {
    // A pipe that nobody writes to is no reason to wait.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw failure(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw GuestImageError(.unreadable, file: path, detail: "expected a regular file")
    }
    guard UInt64(status.st_size) <= limit else {
      throw GuestImageError(.tooLarge, file: path, detail: "\(status.st_size) bytes; an image has at most \(limit)")
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < bytes.count {
      // SAFETY: the buffer has `count - filled` bytes left from `filled` on.
      let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress! + filled, $0.count - filled) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure(path) }
      if count == 0 { break }
      filled += count
    }
    return Array(bytes[..<filled])
  }

  private static func failure(_ path: String) -> GuestImageError {
    let code = errno
    // SAFETY: strerror returns a terminated string, copied here at once.
    return GuestImageError(.unreadable, file: path, detail: unsafe String(cString: strerror(code)))
  }
}
