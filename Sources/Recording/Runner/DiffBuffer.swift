import Glibc

/// Compares a page with what was last seen of it, and encodes what changed as `PageDiff` does: every changed byte, and no other.
@safe package struct DiffBuffer: ~Copyable {
  private static let pageSize = 4096
  /// Enough for the worst page: every other byte changed, 2,048 runs of 5 bytes.
  private static let capacity = 2048 * 5

  private let page: UnsafeMutableRawPointer
  private let out: UnsafeMutablePointer<UInt8>
  private var length = 0

  package init() {
    unsafe page = .allocate(byteCount: Self.pageSize, alignment: 64)
    unsafe out = .allocate(capacity: Self.capacity)
  }

  deinit {
    unsafe page.deallocate()
    unsafe out.deallocate()
  }

  /// The encoded diff, until the next comparison.
  @unsafe package var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: out, count: length) }

  /// Finds what changed, and brings the shadow up to date. The guest may write meanwhile: the page is copied once, and that copy is what counts.
  /// Returns whether anything changed. Both pointers are to whole pages.
  @unsafe package mutating func compare(guest: UnsafeRawPointer, shadow: UnsafeMutableRawPointer) -> Bool {
    length = 0
    // SAFETY: whole pages, as the caller promises; offsets below stay within them, and the output within the worst case.
    unsafe memcpy(page, guest, Self.pageSize)
    guard unsafe memcmp(page, shadow, Self.pageSize) != 0 else { return false }
    var runStart = -1
    for word in stride(from: 0, to: Self.pageSize, by: 8) {
      let difference = unsafe page.load(fromByteOffset: word, as: UInt64.self) ^ shadow.load(fromByteOffset: word, as: UInt64.self)
      guard difference != 0 else {
        if runStart >= 0 {
          emit(runStart, word)
          runStart = -1
        }
        continue
      }
      for byte in 0..<8 {
        let changed = difference >> UInt64(8 * byte) & 0xff != 0
        if changed, runStart < 0 {
          runStart = word + byte
        } else if !changed, runStart >= 0 {
          emit(runStart, word + byte)
          runStart = -1
        }
      }
    }
    if runStart >= 0 { emit(runStart, Self.pageSize) }
    unsafe memcpy(shadow, page, Self.pageSize)
    return true
  }

  private mutating func emit(_ start: Int, _ end: Int) {
    let last = end - start - 1
    // SAFETY: runs do not touch, so that their encodings fit the worst case.
    unsafe out[length] = UInt8(truncatingIfNeeded: start)
    unsafe out[length + 1] = UInt8(truncatingIfNeeded: start >> 8)
    unsafe out[length + 2] = UInt8(truncatingIfNeeded: last)
    unsafe out[length + 3] = UInt8(truncatingIfNeeded: last >> 8)
    unsafe memcpy(out + length + 4, page + start, end - start)
    length += 4 + end - start
  }
}
