import CFiles
import Glibc

/// Where an output's bytes go, opened.
struct Place {
  /// Where links lead.
  var target: String
  /// The file beside it; nil where the target itself is written.
  var temporary: String?
  var descriptor: Int32
  /// What `cfiles_keep` calls the file beside it.
  var leftover: Int32 = -1

  /// The target itself is written.
  init(target: String, descriptor: Int32) { (self.target, self.descriptor) = (target, descriptor) }

  init(_ path: String, overwrites: Bool) throws(OutputFileError) {
    let target = Self.resolved(path)
    // SAFETY: the structure is ours.
    var status = stat()
    let isThere = unsafe stat(target, &status) == 0
    // Told now, not once all is written: no name, and a link that leads nowhere.
    let leadsNowhere = unsafe !isThere && (path.isEmpty || lstat(target, &status) == 0)
    if leadsNowhere { throw OutputFileError(path, ENOENT, "cannot create") }
    if isThere, status.st_mode & S_IFMT != S_IFREG {
      let descriptor = unsafe open(target, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw OutputFileError(path, errno, "cannot write") }
      self.init(target: target, descriptor: descriptor)
      return
    }
    guard !isThere || overwrites else { throw OutputFileError(thereIs: path) }
    self.init(target: target, descriptor: -1)
    guard create() else { throw OutputFileError(path, errno, "cannot create") }
    if isThere { fchmod(descriptor, status.st_mode & 0o777) }
  }

  /// A link stays one: what it leads to is written.
  private static func resolved(_ path: String) -> String {
    // SAFETY: realpath's string is ours, copied and given back.
    guard let real = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }

  /// Creates a new file in the same folder, hence on the same file system. Where there cannot be one it is false, and errno says why.
  private mutating func create() -> Bool {
    let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? ""
    for _ in 0..<100 {
      let name = "\(folder).pagetape-\(getpid())-\(String(UInt32.random(in: 0...UInt32.max), radix: 36)).tmp"
      // Told of first: a signal may come right after it is there.
      leftover = unsafe cfiles_remove_on_signal(name)
      temporary = name
      descriptor = unsafe open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor >= 0 { return true }
      let failure = errno
      cfiles_keep(leftover)
      errno = failure
      if failure != EEXIST { return false }
    }
    return false
  }
}
