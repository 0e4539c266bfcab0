import CFiles
import Glibc

/// A file that is written from its start to its end, and is there only when it is whole.
///
/// What is written goes to another file beside it, which takes its name in `finish`: whoever reads it meanwhile sees the old content or the new. Without
/// `finish` (an error was thrown, a signal came) nothing is left. What is no regular file (a pipe, a device) and standard output are written as it goes.
public struct OutputFile: ~Copyable {
  /// As the user named it.
  public let path: String
  /// The file that is written until it is whole; nil where bytes go straight to their place. Who has another way to write than this one may write there
  /// before `finish`.
  public let temporaryPath: String?
  /// Bytes written here.
  public private(set) var byteCount: UInt64 = 0

  /// Where links lead.
  private let target: String
  private let overwrites: Bool
  private var descriptor: Int32
  private let leftover: Int32

  /// `-` is standard output. Fails where the file is there already, unless it `overwrites`.
  public init(_ path: String, overwrites: Bool) throws(OutputFileError) {
    let place = path == "-" ? Place(target: path, descriptor: STDOUT_FILENO) : try Place(path, overwrites: overwrites)
    self.path = path
    self.overwrites = overwrites
    (target, temporaryPath, descriptor, leftover) = (place.target, place.temporary, place.descriptor, place.leftover)
  }

  deinit {
    if descriptor >= 0, descriptor != STDOUT_FILENO { close(descriptor) }
    guard descriptor >= 0, let temporaryPath else { return }
    unsafe unlink(temporaryPath)
    cfiles_keep(leftover)
  }

  /// Writes all of it.
  public mutating func write(_ bytes: RawSpan) throws(OutputFileError) {
    // SAFETY: `at` is below the count, and the bytes live as long as this closure.
    let failure: Int32 = unsafe bytes.withUnsafeBytes { bytes in
      var at = 0
      while at < bytes.count {
        let wrote = unsafe Glibc.write(descriptor, bytes.baseAddress.unsafelyUnwrapped + at, bytes.count - at)
        if wrote >= 0 { at += wrote } else if errno != EINTR { return errno }
      }
      return 0
    }
    guard failure == 0 else { throw OutputFileError(name, failure, "cannot write") }
    byteCount += UInt64(bytes.byteCount)
  }

  public mutating func write(_ text: String) throws(OutputFileError) {
    // SAFETY: bytes of bytes.
    try unsafe write(text.utf8Span.span.bytes)
  }

  /// It is whole: puts it in its place. Nothing can be written afterwards.
  public mutating func finish() throws(OutputFileError) {
    guard descriptor != STDOUT_FILENO else { return }
    let closed = close(descriptor) == 0 ? 0 : errno
    descriptor = -1
    guard let temporaryPath else {
      guard closed == 0 else { throw OutputFileError(path, closed, "cannot write") }
      return
    }
    defer { cfiles_keep(leftover) }
    var failure = closed
    if failure == 0 {
      failure = overwrites ? (unsafe rename(temporaryPath, target) == 0 ? 0 : errno) : -(unsafe cfiles_move_new(temporaryPath, target))
    }
    guard failure != 0 else { return }
    unsafe unlink(temporaryPath)
    // Somebody else made it meanwhile.
    throw failure == EEXIST ? OutputFileError(thereIs: path) : OutputFileError(path, failure, "cannot write")
  }

  /// Writes a file in one go.
  public static func write(_ text: String, to path: String, overwrites: Bool) throws(OutputFileError) {
    var file = try OutputFile(path, overwrites: overwrites)
    try file.write(text)
    try file.finish()
  }

  private var name: String { path == "-" ? "standard output" : path }
}
