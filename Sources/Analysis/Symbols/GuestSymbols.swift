public import ELFFormat

/// Names for the addresses of a guest: its symbols, and where in guest-physical memory they are.
///
/// Symbols have linear addresses, as instruction pointers do. Guest-physical addresses are put to them by the program headers of an ELF file, by what a map
/// of a Linux kernel says of its image, or by a constant: 0 for a guest whose memory is mapped one to one. An address that lies in no symbol has no name;
/// nor has a physical one that two program headers put at different places.
public struct GuestSymbols: Sendable {
  public let table: SymbolTable
  private var mapping: Mapping

  private enum Mapping {
    /// What to add to a physical address.
    case offset(UInt64)
    case segments([Segment])
  }

  private struct Segment {
    var physical: UInt64
    var linear: UInt64
    /// Not 0.
    var size: UInt64
  }

  /// The text that `nm` writes, as `System.map` is; `offset` is what to add to a guest-physical address (modulo 2^64) to get a symbol's. Without one the
  /// image of an x86-64 Linux kernel, from `_text` to `_end`, is where its loader puts it (Documentation/arch/x86/x86_64/mm.rst), and the rest is nowhere.
  public init(map bytes: [UInt8], offset: UInt64? = nil) throws(SymbolError) {
    guard bytes.count <= Self.longestMap else { throw SymbolError("expected at most \(Self.longestMap) bytes, found \(bytes.count)") }
    let map = try SymbolMap(bytes)
    try self.init(map.symbols, sectionEnds: nil, names: bytes, .offset(offset ?? 0))
    if offset == nil, let image = Self.kernelImage(table) { mapping = .segments([image]) }
  }

  /// `__START_KERNEL_map`.
  private static let kernelMapping: UInt64 = 0xffff_ffff_8000_0000

  private static func kernelImage(_ table: SymbolTable) -> Segment? {
    guard let start = table.symbols(named: "_text").first?.address, let end = table.symbols(named: "_end").last?.address, start >= kernelMapping, start < end
    else { return nil }
    return Segment(physical: start - kernelMapping, linear: start, size: end - start)
  }

  /// An executable's own symbols. Without an `offset` its program headers say where in physical memory they are.
  public init(elf input: ELFInput, offset: UInt64? = nil) throws(SymbolError) {
    let file: ELFFile
    let found: ELFFile.Symbols
    do {
      file = try ELFFile(input)
      found = try file.symbols(input)
    } catch { throw SymbolError(error) }
    let segments = file.programs.filter { $0.type == ELFFile.Program.load && $0.memorySize > 0 }
      .map { Segment(physical: $0.physical, linear: $0.virtual, size: $0.memorySize) }
    let symbols = found.symbols.map { symbol in
      let underscores = found.names[symbol.name...].prefix(8).prefix { $0 == UInt8(ascii: "_") }.count
      let rank = SymbolTable.rank(isTyped: symbol.isTyped, Self.binding(symbol.binding), underscores: underscores)
      return SymbolTable.Symbol(address: symbol.address, size: symbol.size, name: UInt32(symbol.name), rank: rank)
    }
    try self.init(symbols, sectionEnds: found.symbols.map(\.sectionEnd), names: found.names, offset.map(Mapping.offset) ?? .segments(segments))
  }

  private init(_ symbols: [SymbolTable.Symbol], sectionEnds: [UInt64?]?, names: [UInt8], _ mapping: Mapping) throws(SymbolError) {
    // In a kernel's file, whose places are in the upper half, what is in the lower half is no place: offsets into each CPU's own data.
    let isKernel = symbols.contains { $0.address >= Self.upperHalf }
    let kept = symbols.indices.filter { !isKernel || symbols[$0].address >= Self.upperHalf }
    guard !kept.isEmpty else { throw SymbolError("it holds no symbol of a place in memory; an executable that was stripped has none") }
    table = SymbolTable(kept.map { symbols[$0] }, sectionEnds: sectionEnds.map { ends in kept.map { ends[$0] } }, names: names)
    self.mapping = mapping
  }

  private static let upperHalf: UInt64 = 1 << 63
  /// Bytes of a map.
  public static let longestMap = 1 << 28

  private static func binding(_ binding: ELFFile.Symbol.Binding) -> SymbolTable.Binding {
    switch binding {
    case .global: .global
    case .weak: .weak
    case .local: .local
    }
  }

  /// The place of an instruction pointer: a linear address.
  public func place(rip: UInt64) -> SymbolTable.Place? { table.place(at: rip) }

  /// The place of a guest-physical address.
  public func place(gpa: UInt64) -> SymbolTable.Place? { linear(gpa).flatMap(table.place) }

  /// Where in guest-physical memory a linear address is, nil where nothing says so.
  public func gpa(of address: UInt64) -> UInt64? {
    switch mapping {
    case .offset(let offset):
      let gpa = address &- offset
      return gpa < Self.physicalEnd ? gpa : nil
    case .segments(let segments):
      return Self.only(segments.filter { address >= $0.linear && address - $0.linear < $0.size }.map { address - $0.linear &+ $0.physical })
    }
  }

  /// Where in guest-physical memory linear addresses are; nothing for those of which nothing says so.
  public func gpas(of addresses: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    switch mapping {
    case .offset:
      // A range that wraps around, or leaves what memory there can be, has a part that is nowhere: no symbol is so long.
      guard let low = gpa(of: addresses.lowerBound), let high = gpa(of: addresses.upperBound), low <= high else { return [] }
      return [low...high]
    case .segments(let segments):
      return segments.compactMap { segment in
        let (end, overflow) = segment.linear.addingReportingOverflow(segment.size - 1)
        let low = max(addresses.lowerBound, segment.linear)
        let high = min(addresses.upperBound, overflow ? .max : end)
        guard low <= high else { return nil }
        let start = low - segment.linear &+ segment.physical
        let (last, wraps) = start.addingReportingOverflow(high - low)
        return wraps ? nil : start...last
      }
    }
  }

  private func linear(_ gpa: UInt64) -> UInt64? {
    switch mapping {
    case .offset(let offset): gpa &+ offset
    case .segments(let segments): Self.only(segments.filter { gpa >= $0.physical && gpa - $0.physical < $0.size }.map { gpa - $0.physical &+ $0.linear })
    }
  }

  private static let physicalEnd: UInt64 = 1 << 52

  /// The value that all of them have.
  private static func only(_ values: [UInt64]) -> UInt64? { values.allSatisfy { $0 == values[0] } ? values.first : nil }
}
