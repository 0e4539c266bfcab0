import ELFFormat

/// A kernel as it is put into memory, ready for its 64-bit entry point.
public struct KernelImage: Hashable, Sendable {
  /// Bytes for an address, and zeros after them.
  public struct Segment: Hashable, Sendable {
    public var gpa: UInt64
    /// Where the kernel finds it once it has page tables of its own, as its ELF file says. In a bzImage that unpacks itself there is no such place.
    public var virtual: UInt64
    public var bytes: [UInt8]
    public var zeroFill: UInt64

    public var end: UInt64 { gpa + UInt64(bytes.count) + zeroFill }
  }

  /// By ascending address, without overlaps.
  public let segments: [Segment]
  /// Where it starts, in 64-bit mode.
  public let entry: UInt64
  /// What its file says to a boot loader; nil for a plain ELF file.
  public let header: SetupHeader?
  /// Where memory begins that it may use before it has read the memory map's rest.
  public let end: UInt64

  /// The longest command line of a kernel whose file does not say.
  private static let usualCommandLineLimit = 2047
  private static let entryOffset: UInt64 = 0x200
  /// Where a kernel goes that does not say where it would like to be.
  private static let usualAddress: UInt64 = 0x10_0000

  /// A bzImage or an ELF file (vmlinux). With `unpacked`, the kernel inside a bzImage is unpacked here and started directly: its own code for that
  /// never runs.
  public init(_ file: [UInt8], unpacked: Bool) throws(LinuxBootError) {
    guard SetupHeader.isPresent(in: file) else {
      guard file.starts(with: ELFFile.magic) else {
        throw LinuxBootError(.unsupported, "expected a bzImage or an ELF file (vmlinux)\(file.isEmpty ? ": the file is empty" : "")")
      }
      try self.init(elf: file, header: nil)
      return
    }
    let header = try SetupHeader(file)
    if unpacked {
      try self.init(elf: try KernelPayload.unpack(file, header), header: header)
      return
    }
    let gpa = header.isRelocatable && header.preferredAddress > 0 ? header.preferredAddress : Self.usualAddress
    let bytes = Array(file[header.protectedModeOffset...])
    let needed = max(header.initSize, UInt64(bytes.count))
    self.init(segments: [Segment(gpa: gpa, virtual: gpa, bytes: bytes, zeroFill: 0)], entry: gpa + Self.entryOffset, header: header, end: gpa + needed)
  }

  private init(segments: [Segment], entry: UInt64, header: SetupHeader?, end: UInt64) {
    self.segments = segments
    self.entry = entry
    self.header = header
    self.end = end
  }

  private init(elf bytes: [UInt8], header: SetupHeader?) throws(LinuxBootError) {
    let elf: ELFFile
    do { elf = try ELFFile(ELFInput(bytes)) } catch { throw LinuxBootError(.unsupported, offset: error.offset, "\(error.detail), in the kernel") }
    var segments: [Segment] = []
    for program in elf.programs where program.type == ELFFile.Program.load && program.memorySize > 0 {
      let (end, overflow) = program.fileOffset.addingReportingOverflow(program.fileSize)
      guard !overflow, end <= UInt64(bytes.count), program.fileSize <= program.memorySize else {
        throw LinuxBootError(.truncated, offset: program.headerOffset, "a segment's \(program.fileSize) bytes end past the kernel's \(bytes.count) bytes")
      }
      guard program.physical < 1 << 40, program.memorySize < 1 << 40 else {
        throw LinuxBootError(.malformed, offset: program.headerOffset, "a segment at \(hex(program.physical)) is out of reach")
      }
      segments.append(
        Segment(
          gpa: program.physical, virtual: program.virtual, bytes: Array(bytes[Int(program.fileOffset)..<Int(end)]),
          zeroFill: program.memorySize - program.fileSize))
    }
    segments.sort { $0.gpa < $1.gpa }
    for (segment, next) in zip(segments, segments.dropFirst()) where segment.end > next.gpa {
      throw LinuxBootError(.malformed, "segments at \(hex(segment.gpa)) and \(hex(next.gpa)) overlap")
    }
    guard let last = segments.last, segments.contains(where: { $0.gpa <= elf.entry && elf.entry < $0.end }) else {
      throw LinuxBootError(.malformed, "the kernel's entry point \(hex(elf.entry)) is in no segment; expected the physical address of a linked vmlinux")
    }
    self.init(segments: segments, entry: elf.entry, header: header, end: last.end)
  }

  var commandLineLimit: Int { header.map { $0.commandLineLimit > 0 ? $0.commandLineLimit : Self.usualCommandLineLimit } ?? Self.usualCommandLineLimit }
  /// Exclusive.
  var initrdEnd: UInt64 { header.map { $0.initrdLimit + 1 } ?? 0x8000_0000 }
}
