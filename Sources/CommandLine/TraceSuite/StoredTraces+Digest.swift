import Glibc
internal import Regression

extension StoredTraces {
  /// A digest of names and contents: two machines that have the same have the same suite, wherever it is stored.
  ///
  /// Of a file of more than 128 KiB the first and the last 64 KiB count, and the size. A trace's index is at its end, with a checksum of each block.
  public var digest: String {
    var hash = Hash()
    for entry in entries {
      hash.add(Array(entry.name.utf8) + [0])
      hash.add(file: entry.trace, size: entry.traceSize)
      hash.add(file: entry.expectation, size: entry.expectationSize)
      if let size = entry.allowListSize { hash.add(file: TraceExpectation.path(ofAllowListForTrace: entry.trace), size: size) }
    }
    return hash.text
  }

  /// FNV-1a: for what differs by chance, not by design.
  private struct Hash {
    private static let part = 1 << 16
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: [UInt8]) {
      for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    /// A file that is not there, or cannot be read, has no size.
    mutating func add(file path: String, size: UInt64?) {
      add(Array((size.map(String.init) ?? "-").utf8) + [0])
      guard let size else { return }
      let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return }
      defer { close(descriptor) }
      let last = UInt64(Self.part) * 2 < size ? size - UInt64(Self.part) : UInt64(Self.part)
      for offset in [0, last] { add(Self.read(descriptor, at: offset)) }
    }

    private static func read(_ descriptor: Int32, at offset: UInt64) -> [UInt8] {
      // SAFETY: at most as many bytes as there is room for; what was read is counted.
      unsafe [UInt8](unsafeUninitializedCapacity: part) { buffer, count in
        while count < buffer.count {
          let got = unsafe pread(descriptor, buffer.baseAddress.unsafelyUnwrapped + count, buffer.count - count, off_t(offset) + off_t(count))
          if got > 0 { count += got } else if got == 0 || errno != EINTR { return }
        }
      }
    }

    var text: String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
  }
}
