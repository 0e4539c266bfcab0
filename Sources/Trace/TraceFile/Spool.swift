import Glibc

/// Input that cannot be read by position (a pipe, standard input), copied to a file that has no name and is gone with its descriptor.
///
/// The file is in the folder that `TMPDIR` names, else in `/tmp`. It grows to the size of the input: what bounds it is the room there.
package enum Spool {
  /// The folder that copies are made in.
  package static var folder: String {
    // SAFETY: getenv's string is copied at once; nothing here changes the environment.
    guard let value = unsafe getenv("TMPDIR"), unsafe value.pointee != 0 else { return "/tmp" }
    return unsafe String(cString: value)
  }

  /// A descriptor of a copy, at its start, of what can still be read of `input`, with `head` before it. `path` is what errors call the input.
  package static func copy(of input: Int32, after head: [UInt8] = [], path: String) throws(TraceFileError) -> Int32 {
    let copy = Self.create()
    guard copy >= 0 else { throw TraceFileError(.system, path: path, errno: errno, detail: "cannot make a temporary file in \(folder) (TMPDIR)") }
    var done: UInt64 = 0
    var chunk = head
    while true {
      if let failure = write(chunk, to: copy) {
        close(copy)
        throw TraceFileError(
          .system, path: path, errno: failure, detail: "cannot copy it to a temporary file in \(folder) (TMPDIR), \(done) bytes are there")
      }
      done += UInt64(chunk.count)
      if chunk.count < 1 << 16 { chunk = [UInt8](repeating: 0, count: 1 << 16) }
      // SAFETY: reads at most the array's size into it.
      var count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(input, $0.baseAddress, $0.count) }
      while count < 0, errno == EINTR { count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(input, $0.baseAddress, $0.count) } }
      guard count >= 0 else {
        let failure = errno
        close(copy)
        throw TraceFileError(.system, path: path, errno: failure, detail: "cannot read")
      }
      if count == 0 { break }
      chunk.removeLast(chunk.count - count)
    }
    lseek(copy, 0, SEEK_SET)
    return copy
  }

  /// Not every file system can have files without a name from the start. Where there can be none errno says why.
  private static func create() -> Int32 {
    // SAFETY: strings that live for the calls; O_TMPFILE.
    let unnamed = unsafe open(folder, O_RDWR | O_CLOEXEC | 0o20200000, 0o600)
    guard unnamed < 0, errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL else { return unnamed }
    var name = Array(("\(folder)/pagetape-" + String(repeating: "X", count: 6)).utf8CString)
    let named = unsafe name.withUnsafeMutableBufferPointer { unsafe mkstemp($0.baseAddress.unsafelyUnwrapped) }
    guard named >= 0 else { return named }
    _ = fcntl(named, F_SETFD, FD_CLOEXEC)
    _ = unsafe name.withUnsafeBufferPointer { unsafe unlink($0.baseAddress.unsafelyUnwrapped) }
    return named
  }

  /// The error number, nil where all was written.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    // SAFETY: `done` is below the count.
    unsafe bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let count = unsafe Glibc.write(descriptor, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done)
        if count >= 0 { done += count } else if errno != EINTR { return errno }
      }
      return nil
    }
  }
}
