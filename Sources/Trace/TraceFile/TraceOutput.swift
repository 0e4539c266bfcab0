import CFiles
import Glibc
import TraceEvents
import TraceFormat

/// A trace file being written: whole blocks only, and what the index will say of them.
final class TraceOutput {
  let path: String
  private var descriptor: Int32
  private let isRegularFile: Bool
  private let seam: OutputSeam
  private(set) var offset: UInt64 = 0
  private(set) var blocks: [BlockIndex.Entry] = []
  /// Up to here the room in the file is set aside.
  private var reserved: UInt64 = 0
  /// The file system can set room aside, as far as is known.
  private var reserves: Bool

  /// `-` is standard output, wherever that goes: nothing is set aside there, and what was written stays.
  init(path: String, force: Bool, seam: OutputSeam = OutputSeam()) throws(TraceFileError) {
    let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL)
    descriptor = unsafe path == "-" ? dup(STDOUT_FILENO) : open(path, flags, 0o644)
    self.path = path == "-" ? "standard output" : path
    self.seam = seam
    reserves = seam.reserves
    var status = stat()
    // SAFETY: the structure is ours.
    isRegularFile = unsafe path != "-" && descriptor >= 0 && fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    guard descriptor >= 0 else {
      throw TraceFileError(errno == EEXIST ? .exists : .system, path: path, errno: errno, detail: errno == EEXIST ? "not overwritten" : "cannot create")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Number and time of the last event in the file; both 0 where there is none.
  var lastEvent: (seq: UInt64, time: UInt64) {
    guard let last = blocks.last(where: { $0.prologue.type == BlockType.events.rawValue })?.prologue else { return (0, 0) }
    return (last.firstSeq + UInt64(last.count) - 1, last.lastTime)
  }

  /// Events in the file.
  var eventCount: UInt64 { blocks.reduce(0) { $0 + ($1.prologue.type == BlockType.events.rawValue ? UInt64($1.prologue.count) : 0) } }

  // MARK: Writing

  /// Sets the next `count` bytes of the disk aside: from here on they can be written even if somebody else fills it. The file does not grow by it.
  /// Throws where there is not so much room; does nothing where the file system knows no such thing.
  func reserve(_ count: Int) throws(TraceFileError) {
    let end = offset + UInt64(count)
    guard isRegularFile, end > reserved else { return }
    try checkLimit(end)
    guard reserves else { return }
    var code = seam.willTake(offset, count)
    while code == 0 || code == EINTR {
      code = -cfiles_reserve(descriptor, offset, UInt64(count))
      if code == 0 {
        reserved = end
        return
      }
    }
    let error = TraceFileError(.system, path: path, offset: offset, errno: code, detail: "cannot write")
    if error.isDiskFull { throw error }
    reserves = false
  }

  /// Writes a block. On an error the file ends after its last whole block.
  func write(block: [UInt8], _ prologue: BlockPrologue) throws(TraceFileError) {
    try write(block)
    blocks.append(BlockIndex.Entry(offset: offset - UInt64(block.count), prologue: prologue))
  }

  /// Writes all of `bytes`, or none.
  func write(_ bytes: [UInt8]) throws(TraceFileError) {
    try checkLimit(offset + UInt64(bytes.count))
    var done = 0
    while done < bytes.count {
      var code = seam.willTake(offset + UInt64(done), bytes.count - done)
      // SAFETY: the pointer and the count are the rest of the array.
      let count = unsafe code != 0 ? -1 : bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
      if count < 0 && code == 0 { code = errno }
      if count < 0 && code == EINTR { continue }
      guard count > 0 else {
        // A part of a block is worth nothing to a reader: drop it, so that what follows (the index) starts at a whole one.
        cut()
        throw TraceFileError(.system, path: path, offset: offset + UInt64(done), errno: count == 0 ? ENOSPC : code, detail: "cannot write")
      }
      done += count
    }
    offset += UInt64(bytes.count)
  }

  /// Writing past the limit on file sizes would end the process with a signal.
  private func checkLimit(_ end: UInt64) throws(TraceFileError) {
    let limit = isRegularFile ? cfiles_size_limit() : .max
    guard end > limit else { return }
    throw TraceFileError(.system, path: path, offset: offset, errno: EFBIG, detail: "the limit of \(limit) bytes on the size of files is reached")
  }

  // MARK: The end

  /// Takes all but the first blocks away again.
  func keepFirst(_ count: Int) {
    guard count < blocks.count else { return }
    offset = blocks[count].offset
    blocks.removeSubrange(count...)
    cut()
  }

  /// The file ends after its last block; what was set aside behind it is given back.
  private func cut() {
    guard isRegularFile else { return }
    _ = ftruncate(descriptor, off_t(offset))
    _ = lseek(descriptor, off_t(offset), SEEK_SET)
    reserved = 0
  }

  /// Closes, and reports what the system kept back until now.
  func finish() throws(TraceFileError) {
    if reserved > offset { cut() }
    let descriptor = self.descriptor
    self.descriptor = -1
    guard close(descriptor) == 0 else { throw TraceFileError(.system, path: path, errno: errno, detail: "cannot close") }
  }
}
