import Glibc
import TraceFormat

/// A trace file being read, by position. What cannot be seeked (a pipe, standard input) is first copied to a temporary file (`Spool`).
@safe final class TraceInput {
  let path: String
  let size: UInt64
  private let descriptor: Int32
  private var buffer: UnsafeMutableRawBufferPointer

  /// `-` is standard input.
  init(path: String) throws(TraceFileError) {
    self.path = path
    var descriptor = unsafe path == "-" ? dup(0) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw TraceFileError(.system, path: path, errno: errno, detail: "cannot open") }
    var status = stat()
    // SAFETY: the structure is ours.
    guard unsafe fstat(descriptor, &status) == 0 else {
      defer { close(descriptor) }
      throw TraceFileError(.system, path: path, errno: errno, detail: "cannot look at it")
    }
    if status.st_mode & S_IFMT != S_IFREG {
      let pipe = descriptor
      defer { close(pipe) }
      descriptor = try Spool.copy(of: pipe, path: path == "-" ? "standard input" : path)
      unsafe fstat(descriptor, &status)
    }
    self.descriptor = descriptor
    size = UInt64(status.st_size)
    unsafe buffer = .allocate(byteCount: 1 << 16, alignment: 8)
  }

  deinit {
    unsafe buffer.deallocate()
    close(descriptor)
  }

  func isSameFile(as path: String) -> Bool {
    guard let mine = FileIdentity(descriptor) else { return false }
    return mine == FileIdentity(path)
  }

  /// The bytes from `offset`, valid until the next call; fewer where the file ends or cannot be read.
  @unsafe func read(at offset: UInt64, count: Int) -> UnsafeRawBufferPointer {
    let count = offset < size ? min(count, Int(clamping: size - offset)) : 0
    if unsafe buffer.count < count {
      unsafe buffer.deallocate()
      unsafe buffer = .allocate(byteCount: count, alignment: 8)
    }
    var done = 0
    while done < count {
      // SAFETY: the buffer holds `count` bytes.
      let got = unsafe pread(descriptor, buffer.baseAddress! + done, count - done, off_t(offset) + off_t(done))
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else { break }
      done += got
    }
    return unsafe UnsafeRawBufferPointer(rebasing: buffer[..<done])
  }

  /// The same, copied.
  func bytes(at offset: UInt64, count: Int) -> [UInt8] { unsafe Array(read(at: offset, count: count)) }

  /// The prologue at `offset`, nil where there is none that is whole.
  func prologue(at offset: UInt64) -> BlockPrologue? {
    try? unsafe BlockPrologue(decoding: read(at: offset, count: BlockPrologue.size))
  }

  /// The next valid prologue from `offset` on. Every byte is looked at once, so that no file can make this slow.
  func findPrologue(from offset: UInt64) -> UInt64? {
    let magic = BlockPrologue.signature[..<4].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    var at = offset
    while at + UInt64(BlockPrologue.size) <= size {
      // SAFETY: offsets stay `BlockPrologue.size` below the count of the bytes read.
      let chunk = unsafe read(at: at, count: 1 << 20)
      let starts = chunk.count - BlockPrologue.size + 1
      guard starts > 0 else { return nil }
      for start in 0..<starts where unsafe UInt32(littleEndian: chunk.loadUnaligned(fromByteOffset: start, as: UInt32.self)) == magic {
        if (try? unsafe BlockPrologue(decoding: UnsafeRawBufferPointer(rebasing: chunk[start...]))) != nil { return at + UInt64(start) }
      }
      at += UInt64(starts)
    }
    return nil
  }
}
