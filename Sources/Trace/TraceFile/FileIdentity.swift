import Glibc

/// Which file a path leads to, whether or not it is there yet: equal for two names of one file.
package struct FileIdentity: Hashable {
  private var device: UInt64
  private var number: UInt64
  /// Of a file that is not there: its name in the folder that the numbers are of.
  private var name: String?

  /// Links are followed as `open` follows them.
  private static let linkLimit = 40

  /// Of an open file.
  init?(_ descriptor: Int32) {
    var status = stat()
    // SAFETY: the structure is ours (here and below).
    guard unsafe fstat(descriptor, &status) == 0, let file = Self(status) else { return nil }
    self = file
  }

  private init?(_ status: stat) {
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    (device, number, name) = (UInt64(status.st_dev), UInt64(status.st_ino), nil)
  }

  /// Nil where the path leads to no regular file and none can be made there: a folder, a device, a pipe, a missing folder.
  package init?(_ path: String) {
    var path = path
    var status = stat()
    for _ in 0..<Self.linkLimit {
      if unsafe stat(path, &status) == 0 {
        guard let file = Self(status) else { return nil }
        self = file
        return
      }
      let (folder, name) = Self.parts(path)
      guard let link = Self.link(path) else {
        guard !name.isEmpty, unsafe stat(folder, &status) == 0 else { return nil }
        (device, number, self.name) = (UInt64(status.st_dev), UInt64(status.st_ino), name)
        return
      }
      path = link.hasPrefix("/") ? link : folder + link
    }
    return nil
  }

  private static func parts(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("./", path) }
    return (String(path[...slash]), String(path[path.index(after: slash)...]))
  }

  /// Where a symbolic link leads; nil where it is none.
  private static func link(_ path: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    // SAFETY: writes at most the array's size into it.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe readlink(path, $0.baseAddress!, $0.count) }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
