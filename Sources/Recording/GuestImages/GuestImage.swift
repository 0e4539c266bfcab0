import ELFFormat
package import X86

/// A guest that can be loaded: what goes where, and where it starts. Made from a built-in guest, a flat binary or an ELF file.
public struct GuestImage: Hashable, Sendable {
  /// Bytes to be loaded into guest RAM, followed by zeros.
  public struct Segment: Hashable, Sendable {
    public var gpa: UInt64
    public var bytes: [UInt8]
    /// Zero bytes after `bytes`.
    public var zeroFill: UInt64

    public init(gpa: UInt64, bytes: [UInt8], zeroFill: UInt64 = 0) {
      self.gpa = gpa
      self.bytes = bytes
      self.zeroFill = zeroFill
    }

    /// Exclusive. Loaders check that this does not overflow.
    public var end: UInt64 { gpa + UInt64(bytes.count) + zeroFill }
  }

  /// The built-in's name, or the file's path as given.
  public let name: String
  /// The same without the folders: what a trace or a snapshot calls it.
  package var fileName: String { name.split(separator: "/").last.map(String.init) ?? name }
  /// By ascending address, without overlaps, none of them in the special region.
  public let segments: [Segment]
  /// What to put at the start of the special region: the image's own handler, or one that leaves at once. Never empty.
  public let region: [UInt8]
  /// Whether `region` came with the image.
  public let hasHandler: Bool
  /// Where vCPU 0 starts.
  public let entry: UInt64
  /// SHA-256 over the image file, or over a built-in's parts: which guest a trace is of. 64 hexadecimal digits.
  public let digest: String
  /// End of the memory that the image is known to use: its segments and, for a built-in, the data that it lays out beyond them.
  public let memoryEnd: UInt64
  /// Whether it is known to end only where its forbidden writes are denied.
  public let needsTraps: Bool
  /// The registers that it starts with, where its segments hold all that they need; nil for a guest of `pagetape_abi.h`, which the loader makes tables for.
  package let boot: BootState?

  init(
    name: String, segments: [Segment], region: [UInt8]?, entry: UInt64, digest: String, memoryEnd: UInt64 = 0, needsTraps: Bool = false
  ) {
    self.name = name
    self.segments = segments.sorted { $0.gpa < $1.gpa }
    self.region = region ?? BuiltinGuest.defaultHandler
    hasHandler = region != nil
    self.entry = entry
    self.needsTraps = needsTraps
    self.digest = digest
    self.memoryEnd = max(memoryEnd, self.segments.last?.end ?? 0)
    boot = nil
  }

  /// A guest that knows nothing of `pagetape_abi.h`: it starts as `boot` says, and its segments hold its page tables and descriptors.
  package init(name: String, segments: [Segment], boot: BootState, digest: String) {
    self.name = name
    self.segments = segments.sorted { $0.gpa < $1.gpa }
    region = BuiltinGuest.defaultHandler
    hasHandler = false
    entry = boot.rip
    needsTraps = false
    self.digest = digest
    memoryEnd = self.segments.last?.end ?? 0
    self.boot = boot
  }

  /// What `record --guest` takes: the name of a built-in guest or, where there is a slash or a dot in it or no such built-in, a file.
  public init(nameOrPath: String) throws(GuestImageError) {
    if let builtin = BuiltinGuest(name: nameOrPath) {
      self = builtin.image
      return
    }
    if !nameOrPath.contains("/"), !nameOrPath.contains("."), !FileBytes.exists(nameOrPath) {
      throw GuestImageError(.unknownGuest, file: nameOrPath, detail: BuiltinGuest.suggestion(for: nameOrPath))
    }
    try self.init(file: nameOrPath)
  }

  /// A static ELF64 if the file starts like an ELF, else a flat binary.
  public init(file path: String) throws(GuestImageError) {
    let bytes = try FileBytes.read(path, limit: Self.maximumFileSize)
    try self.init(name: path, fileBytes: bytes)
  }

  /// As `init(file:)`, for bytes in memory.
  public init(name: String, fileBytes bytes: [UInt8]) throws(GuestImageError) {
    if bytes.starts(with: ELFFile.magic) {
      try self.init(name: name, elf: bytes)
    } else {
      try self.init(name: name, flat: bytes)
    }
  }

  /// Larger files cannot be images: guest RAM ends below the special region.
  static let maximumFileSize = BootMemory.maximumRAM
}
