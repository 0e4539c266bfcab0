import Glibc
import TraceFormat

/// A trace file being written: whole blocks only, and what the index will say of them.
final class TraceOutput {
  let path: String
  private var descriptor: Int32
  private(set) var offset: UInt64 = 0
  private(set) var blocks: [BlockIndex.Entry] = []

  init(path: String, force: Bool) throws(TraceFileError) {
    let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL)
    descriptor = unsafe open(path, flags, 0o644)
    self.path = path
    guard descriptor >= 0 else {
      throw TraceFileError(errno == EEXIST ? .exists : .system, path: path, errno: errno, detail: errno == EEXIST ? "not overwritten" : "cannot create")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Writes a block. On an error the file ends after its last whole block.
  func write(block: [UInt8], _ prologue: BlockPrologue) throws(TraceFileError) {
    try write(block)
    blocks.append(BlockIndex.Entry(offset: offset - UInt64(block.count), prologue: prologue))
  }

  /// Writes all of `bytes`, or none.
  func write(_ bytes: [UInt8]) throws(TraceFileError) {
    var done = 0
    while done < bytes.count {
      // SAFETY: the pointer and the count are the rest of the array.
      let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        let error = TraceFileError(.system, path: path, offset: offset + UInt64(done), errno: count == 0 ? ENOSPC : errno, detail: "cannot write")
        // A part of a block is worth nothing to a reader: drop it, so that what follows (the index) starts at a whole one.
        _ = ftruncate(descriptor, off_t(offset))
        _ = lseek(descriptor, off_t(offset), SEEK_SET)
        throw error
      }
      done += count
    }
    offset += UInt64(bytes.count)
  }

  /// Closes, and reports what the system kept back until now.
  func finish() throws(TraceFileError) {
    let descriptor = self.descriptor
    self.descriptor = -1
    guard close(descriptor) == 0 else { throw TraceFileError(.system, path: path, errno: errno, detail: "cannot close") }
  }
}
