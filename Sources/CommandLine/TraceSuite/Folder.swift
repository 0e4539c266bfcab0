import Glibc

/// What is in folders.
package enum Folder {
  /// The names of everything in a folder, `.` and `..` too, in no order.
  package static func names(in folder: String) throws(SuiteError) -> [String] {
    guard let directory = unsafe opendir(folder) else { throw SuiteError(folder, errno, "cannot look into it") }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = unsafe readdir(directory) else { break }
      // SAFETY: the name ends with a zero, and is copied before the next call.
      unsafe names.append(
        withUnsafePointer(to: &entry.pointee.d_name) { unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) } })
    }
    guard errno == 0 else { throw SuiteError(folder, errno, "cannot look into it") }
    return names
  }
}
