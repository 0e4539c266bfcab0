import Digests
import X86

extension GuestImage {
  /// A flat binary: loaded at 1 MiB and entered at its first byte.
  init(name: String, flat bytes: [UInt8]) throws(GuestImageError) {
    guard !bytes.isEmpty else { throw GuestImageError(.empty, file: name, detail: "expected an ELF file or a flat binary, found 0 bytes") }
    let limit = BootMemory.maximumRAM - BootMemory.imageBase
    guard UInt64(bytes.count) <= limit else {
      throw GuestImageError(.tooLarge, file: name, detail: "a flat binary ends below the special region, so it has at most \(limit) bytes")
    }
    self.init(
      name: name, segments: [Segment(gpa: BootMemory.imageBase, bytes: bytes)], region: nil, entry: BootMemory.imageBase,
      digest: SHA256.hexadecimal(bytes))
  }
}
