import Glibc

/// Files that are read and written whole.
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

  /// Puts a file in its place at once: whoever reads it meanwhile sees the old content or the new.
  static func write(_ text: String, to path: String) throws(SuiteError) {
    let temporary = "\(path).\(getpid()).tmp"
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw SuiteError(path, errno, "cannot write") }
    let bytes = Array(text.utf8)
    var done = 0
    var failed: Int32 = 0
    while done < bytes.count, failed == 0 {
      // SAFETY: `done` is below the array's count.
      let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress.unsafelyUnwrapped + done, $0.count - done) }
      if count >= 0 { done += count } else if errno != EINTR { failed = errno }
    }
    if close(descriptor) != 0, failed == 0 { failed = errno }
    if failed == 0, unsafe rename(temporary, path) != 0 { failed = errno }
    guard failed != 0 else { return }
    unsafe unlink(temporary)
    throw SuiteError(path, failed, "cannot write")
  }
}
