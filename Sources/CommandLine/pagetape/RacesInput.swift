import Glibc
import TraceFile
import TraceFormat

/// A file of either kind that `races` reads, from its start and in pieces; `-` is standard input, which need not be seekable.
@safe struct RacesInput: ~Copyable {
  let path: String
  private let descriptor: Int32
  /// The first bytes, which tell the kind; not yet handed on.
  private var head: [UInt8] = []

  init(_ path: String) throws {
    self.path = path
    // SAFETY: a string that lives for the call.
    descriptor = unsafe path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure(path, "cannot open") }
    while head.count < 4 {
      var byte: UInt8 = 0
      // SAFETY: one byte, ours.
      let count = try unsafe withUnsafeMutableBytes(of: &byte) { try unsafe Self.read(descriptor, path, $0) }
      if count == 0 { break }
      head.append(byte)
    }
  }

  deinit { close(descriptor) }

  /// Whether the file starts like a zstd frame of any sort, as every trace of ours does and no text.
  var isNative: Bool {
    let skippable = head.count == 4 && head[0] & 0xf0 == 0x50 && head[1...] == BlockPrologue.signature[1..<4]
    return skippable || head == [0x28, 0xb5, 0x2f, 0xfd]
  }

  /// Puts the next bytes into the buffer; says how many, 0 at the end.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard head.isEmpty else {
      let count = min(head.count, buffer.count)
      // SAFETY: at most as many as there is room for.
      unsafe buffer.copyBytes(from: head[..<count])
      head.removeFirst(count)
      return count
    }
    return try unsafe Self.read(descriptor, path, buffer)
  }

  /// Gives standard input back as if nothing had been read of it: a pipe goes into a temporary file (`Spool`) that takes its place. Other files
  /// can simply be opened again.
  mutating func handBack() throws {
    guard path == "-", lseek(descriptor, 0, SEEK_SET) < 0 else { return }
    let copy: Int32
    do { copy = try Spool.copy(of: descriptor, after: head, path: "standard input") } catch { throw Traces.failure(error) }
    defer { close(copy) }
    guard dup2(copy, STDIN_FILENO) >= 0 else { throw Self.failure(path, "cannot read again") }
  }

  private static func read(_ descriptor: Int32, _ path: String, _ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      // SAFETY: as many bytes as the buffer has.
      let count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      if errno != EINTR { throw failure(path, "cannot read") }
    }
  }

  private static func failure(_ path: String, _ what: String) -> Failure {
    // SAFETY: strerror's string is copied at once.
    Failure("\(path): \(what): \(unsafe String(cString: strerror(errno)))")
  }
}
