import ArgumentParser
import Glibc
import Reports

/// Standard output and standard error, and whether a person is looking.
enum Terminal {
  /// Colours on a terminal only, or where CLICOLOR_FORCE or FORCE_COLOR is set and not 0; and not where NO_COLOR is set (https://no-color.org).
  static var style: TextStyle {
    let isForced = ["CLICOLOR_FORCE", "FORCE_COLOR"].contains { !["", "0"].contains(environment($0)) }
    let wants = isatty(STDOUT_FILENO) == 1 || isForced
    return TextStyle(isColoured: wants && environment("NO_COLOR").isEmpty)
  }

  static var showsProgress: Bool { isatty(STDERR_FILENO) == 1 }

  static func error(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

  /// Redraws one line of standard error.
  static func progress(_ line: String) { write("\r\u{1b}[K" + line, to: STDERR_FILENO) }

  static func endProgress() { write("\r\u{1b}[K", to: STDERR_FILENO) }

  /// The value of a variable, empty where it is not set.
  static func environment(_ name: String) -> String {
    // SAFETY: getenv's string is copied at once; nothing here changes the environment.
    guard let value = unsafe getenv(name) else { return "" }
    return unsafe String(cString: value)
  }

  /// Writes all of it, or fails with a status of 2: a report cut short by a full disk must not look whole.
  static func output(_ text: String) throws {
    // SAFETY: bytes of bytes.
    try unsafe output(text.utf8Span.span.bytes)
  }

  /// A line on what was written, where it is not in the way: on standard error where standard output took it.
  static func summary(_ line: String, besides output: String) throws {
    if output == "-" { error("pagetape: " + line) } else { try self.output(line + "\n") }
  }

  static func output(_ bytes: RawSpan) throws {
    guard write(bytes, to: STDOUT_FILENO) else {
      // A reader that left (`| head`) has what it wanted: nothing to tell, but not everything was written either.
      if errno == EPIPE { throw ExitCode(ExitStatus.badUse.rawValue) }
      // SAFETY: strerror's string is copied at once.
      throw Failure("standard output: \(unsafe String(cString: strerror(errno)))")
    }
  }

  @discardableResult
  private static func write(_ text: String, to descriptor: Int32) -> Bool {
    // SAFETY: bytes of bytes.
    unsafe write(text.utf8Span.span.bytes, to: descriptor)
  }

  static func write(_ bytes: RawSpan, to descriptor: Int32) -> Bool {
    // SAFETY: `at` is below `count`, and the bytes live as long as this closure.
    unsafe bytes.withUnsafeBytes { bytes in
      var at = 0
      while at < bytes.count {
        let wrote = unsafe Glibc.write(descriptor, bytes.baseAddress.unsafelyUnwrapped + at, bytes.count - at)
        if wrote < 0 {
          if errno == EINTR { continue }
          return false
        }
        at += wrote
      }
      return true
    }
  }
}

/// Standard output in large pieces, for verbs that print a line an event.
struct LineBuffer: ~Copyable {
  private var text = ""

  init() { text.reserveCapacity(1 << 17) }

  mutating func add(_ line: String) throws {
    text += line
    text += "\n"
    if text.utf8.count > 1 << 16 { try flush() }
  }

  mutating func flush() throws {
    try Terminal.output(text)
    text.removeAll(keepingCapacity: true)
  }
}
