import Digests
import ELFFormat
import X86

extension GuestImage {
  /// A static ELF64: PT_LOAD segments go to their physical addresses, those inside the special region to the handler.
  ///
  /// A static PIE is taken as linked for 0, which loads nowhere useful; it is accepted only where its physical addresses are already
  /// right and it needs no relocations.
  init(name: String, elf bytes: [UInt8]) throws(GuestImageError) {
    let header: ELFFile
    do { header = try ELFFile(ELFInput(bytes)) } catch { throw GuestImageError(error, file: name) }
    var segments: [Segment] = []
    var regionSegments: [Segment] = []
    for program in header.programs {
      try Self.checkStatic(name, program, bytes)
      guard program.type == ELFFile.Program.load, program.memorySize > 0 else { continue }
      let segment = try Self.segment(name, program, bytes)
      if segment.end > GuestMap.regionBase && segment.gpa < GuestMap.regionEnd {
        try Self.checkRegion(name, program, segment)
        regionSegments.append(segment)
      } else {
        try Self.checkMemory(name, program, segment)
        segments.append(segment)
      }
    }
    guard !segments.isEmpty else {
      throw GuestImageError(.malformed, file: name, detail: "expected a PT_LOAD segment in guest memory, found none")
    }
    let region = try Self.region(name, regionSegments)
    self.init(name: name, segments: segments, region: region, entry: header.entry, digest: SHA256.hexadecimal(bytes))
    try checkSegments()
  }

  private static func checkStatic(_ name: String, _ program: ELFFile.Program, _ bytes: [UInt8]) throws(GuestImageError) {
    if program.type == ELFFile.Program.interpreter {
      throw GuestImageError(
        .unsupported, file: name, offset: program.headerOffset, detail: "expected a static executable, found one that asks for a dynamic linker")
    }
    guard program.type == ELFFile.Program.dynamic else { return }
    let (end, overflow) = program.fileOffset.addingReportingOverflow(program.fileSize)
    guard !overflow, end <= UInt64(bytes.count) else {
      throw GuestImageError(
        .truncated, file: name, offset: program.headerOffset, detail: "the dynamic section ends past the file's \(bytes.count) bytes")
    }
    // Entries are pairs of a tag and a value; the sizes of the relocation tables have the tags 2, 8 and 35.
    for at in stride(from: Int(program.fileOffset), to: Int(end) - 15, by: 16) {
      let tag = bytes.field(at, 8)
      if tag == 0 { break }
      if [2, 8, 35].contains(tag), bytes.field(at + 8, 8) > 0 {
        throw GuestImageError(.unsupported, file: name, offset: UInt64(at), detail: "expected no relocations, found a table (dynamic tag \(tag))")
      }
    }
  }

  private static func segment(_ name: String, _ program: ELFFile.Program, _ bytes: [UInt8]) throws(GuestImageError) -> Segment {
    guard program.fileSize <= program.memorySize else {
      throw GuestImageError(
        .malformed, file: name, offset: program.headerOffset,
        detail: "a segment of \(program.memorySize) bytes in memory cannot have \(program.fileSize) in the file")
    }
    let (end, overflow) = program.fileOffset.addingReportingOverflow(program.fileSize)
    guard !overflow, end <= UInt64(bytes.count) else {
      throw GuestImageError(
        .truncated, file: name, offset: program.headerOffset,
        detail: "a segment's \(program.fileSize) bytes at \(hex(program.fileOffset)) end past the file's \(bytes.count) bytes")
    }
    guard !program.physical.addingReportingOverflow(program.memorySize).overflow else {
      throw GuestImageError(
        .outOfMemory, file: name, offset: program.headerOffset, detail: "a segment at \(hex(program.physical)) wraps around the address space")
    }
    return Segment(
      gpa: program.physical, bytes: Array(bytes[Int(program.fileOffset)..<Int(end)]), zeroFill: program.memorySize - program.fileSize)
  }

  private static func checkMemory(_ name: String, _ program: ELFFile.Program, _ segment: Segment) throws(GuestImageError) {
    guard segment.end <= BootMemory.maximumRAM else {
      throw GuestImageError(
        .outOfMemory, file: name, offset: program.headerOffset,
        detail: "a segment at \(hex(segment.gpa)) ends at \(hex(segment.end)); guest memory ends at \(hex(BootMemory.maximumRAM)) or below")
    }
    guard segment.gpa >= BootMemory.tablesEnd else {
      throw GuestImageError(
        .overlap, file: name, offset: program.headerOffset,
        detail: "a segment at \(hex(segment.gpa)) overlaps the boot tables; expected \(hex(BootMemory.tablesEnd)) or above")
    }
  }

  private static func checkRegion(_ name: String, _ program: ELFFile.Program, _ segment: Segment) throws(GuestImageError) {
    guard segment.gpa >= GuestMap.regionBase, segment.end <= GuestMap.handlerEnd else {
      throw GuestImageError(
        .overlap, file: name, offset: program.headerOffset,
        detail: "a segment of the special region, \(hex(segment.gpa)) to \(hex(segment.end)), leaves it or meets its stacks; "
          + "expected \(hex(GuestMap.regionBase)) to \(hex(GuestMap.handlerEnd))")
    }
  }

  /// The region's segments as one stretch from its base, nil for none.
  private static func region(_ name: String, _ segments: [Segment]) throws(GuestImageError) -> [UInt8]? {
    let ordered = segments.sorted { $0.gpa < $1.gpa }
    guard let first = ordered.first else { return nil }
    guard first.gpa == GuestMap.regionBase else {
      throw GuestImageError(
        .malformed, file: name, detail: "the special region is entered at \(hex(GuestMap.regionBase)), but its first segment is at \(hex(first.gpa))")
    }
    var bytes: [UInt8] = []
    for segment in ordered {
      let at = Int(segment.gpa - GuestMap.regionBase)
      guard at >= bytes.count else {
        throw GuestImageError(.overlap, file: name, detail: "segments of the special region overlap at \(hex(segment.gpa))")
      }
      bytes += [UInt8](repeating: 0, count: at - bytes.count)
      bytes += segment.bytes
      bytes += [UInt8](repeating: 0, count: Int(segment.zeroFill))
    }
    return bytes
  }
}
