import Glibc

/// Files that are read whole.
enum SmallFile {
  /// What is in a file of at most `limit` bytes; nil where there is no such file.
  static func read(_ path: String, limit: Int) throws(SuiteError) -> [UInt8]? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw SuiteError(path, errno, "cannot open")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while true {
      // SAFETY: reads at most the array's size into it.
      let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw SuiteError(path, errno, "cannot read") }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= limit else { throw SuiteError("\(path): is longer than \(limit) bytes") }
    }
  }

  static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
}
