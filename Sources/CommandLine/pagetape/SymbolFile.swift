import ELFFormat
import Glibc
import Symbols

/// A file of symbols. An ELF file is read in parts: with a kernel's debug information it may be larger than what memory there is.
struct SymbolFile: ~Copyable {
  private let path: String
  private let descriptor: Int32

  init(_ path: String) throws {
    self.path = path
    descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure("\(path): cannot open: \(WholeFile.reason)\(Suggestion.text(forFile: path))") }
  }

  deinit { close(descriptor) }

  func read(offset: UInt64?) throws -> GuestSymbols {
    // SAFETY: the structure is ours.
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw Failure("\(path): \(WholeFile.reason)") }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw Failure("\(path): is a folder") }
    // Pipes and the files of /proc have no size; they are read from their start to their end.
    if status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 {
      let descriptor = descriptor
      let input = ELFInput(size: UInt64(status.st_size)) { at, count throws(ELFError) in
        guard let bytes = Self.bytes(descriptor, at: at, count: count) else { throw ELFError(.unreadable, "cannot read: \(WholeFile.reason)") }
        return bytes
      }
      guard let magic = Self.bytes(descriptor, at: 0, count: ELFFile.magic.count) else { throw Failure("\(path): cannot read: \(WholeFile.reason)") }
      if magic == ELFFile.magic { return try GuestSymbols(elf: input, offset: offset) }
    }
    let bytes = try WholeFile.read(descriptor, path, limit: GuestSymbols.longestMap, of: "bytes of text")
    return bytes.starts(with: ELFFile.magic) ? try GuestSymbols(elf: ELFInput(bytes), offset: offset) : try GuestSymbols(map: bytes, offset: offset)
  }

  /// As many bytes from there as there are; nil where the operating system says no.
  private static func bytes(_ descriptor: Int32, at offset: UInt64, count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      // SAFETY: there is room for `count - filled` bytes behind those.
      let some = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress! + filled, count - filled, off_t(offset) + filled) }
      if some < 0, errno == EINTR { continue }
      guard some >= 0 else { return nil }
      if some == 0 { break }
      filled += some
    }
    return Array(bytes[..<filled])
  }
}
