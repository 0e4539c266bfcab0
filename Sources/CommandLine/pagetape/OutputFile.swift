import Glibc

/// Files that the tool writes in one go, traces aside.
enum OutputFile {
  /// Writes all of it, or leaves no part of it there and fails with a status of 2. What is there already is kept, unless `force`.
  static func write(_ text: String, to path: String, force: Bool) throws {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0o644)
    guard descriptor >= 0 else {
      throw Failure("\(path): " + (errno == EEXIST ? "not overwritten; --force overwrites it" : "cannot create: \(reason)"))
    }
    // SAFETY: the structure is ours.
    var status = stat()
    let isFile = unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    // SAFETY: bytes of bytes.
    let isWritten = unsafe Terminal.write(text.utf8Span.span.bytes, to: descriptor)
    let failure = isWritten ? nil : reason
    guard close(descriptor) == 0, failure == nil else {
      let why = failure ?? reason
      if isFile { unsafe unlink(path) }
      throw Failure("\(path): cannot write: \(why)")
    }
  }

  /// What errno says. SAFETY: strerror's string is copied at once.
  private static var reason: String { unsafe String(cString: strerror(errno)) }
}
