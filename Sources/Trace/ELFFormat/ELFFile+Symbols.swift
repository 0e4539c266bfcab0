extension ELFFile {
  /// A section header.
  struct Section {
    var type: UInt32
    var flags: UInt64
    var address: UInt64
    var fileOffset: UInt64
    var size: UInt64
    var link: UInt64
    var entrySize: UInt64
    /// Where this section header lies in the file: for errors.
    var headerOffset: UInt64

    static let symbolTable: UInt32 = 2
    static let stringTable: UInt32 = 3
    static let dynamicSymbols: UInt32 = 11
    /// It takes up memory while the program runs.
    static let allocated: UInt64 = 2

    var isAllocated: Bool { flags & Self.allocated != 0 }
  }

  /// A named place in memory.
  public struct Symbol: Sendable {
    public enum Binding: Sendable { case global, weak, local }

    public var address: UInt64
    /// In bytes; 0 where the file does not say.
    public var size: UInt64
    /// End of the section that holds it; nil where that is not known.
    public var sectionEnd: UInt64?
    /// A function or an object, as against a label of no type.
    public var isTyped: Bool
    public var binding: Binding
    /// Where its name starts in `Symbols.names`: a zero ends it, or their end.
    public var name: Int
  }

  public struct Symbols: Sendable {
    public var symbols: [Symbol]
    public var names: [UInt8]
  }

  private static let sectionSize = 64
  private static let symbolSize: UInt64 = 24
  private static let maximumSections: UInt64 = 1 << 18
  private static let maximumSymbols: UInt64 = 1 << 22
  private static let maximumNames: UInt64 = 1 << 28

  /// The functions, objects and labels of its symbol table, or where it has none those of its dynamic symbol table; none where it is stripped.
  ///
  /// Left out is what is no place in memory: constants, undefined and thread-local symbols, those of sections that are not loaded, and the names that
  /// the file keeps of sections, source files and kinds of code (`$x`).
  public func symbols(_ input: ELFInput) throws(ELFError) -> Symbols {
    let sections = try sections(input)
    guard
      let table = sections.first(where: { $0.type == Section.symbolTable }) ?? sections.first(where: { $0.type == Section.dynamicSymbols })
    else { return Symbols(symbols: [], names: []) }
    guard table.entrySize == Self.symbolSize else {
      throw ELFError(.malformed, offset: table.headerOffset, "expected symbols of 24 bytes, found \(table.entrySize)")
    }
    let count = table.size / Self.symbolSize
    guard count <= Self.maximumSymbols else {
      throw ELFError(.malformed, offset: table.headerOffset, "expected at most \(Self.maximumSymbols) symbols, found \(count)")
    }
    guard table.link < UInt64(sections.count), sections[Int(table.link)].type == Section.stringTable else {
      throw ELFError(.malformed, offset: table.headerOffset, "expected the number of the section with the symbols' names, found \(table.link)")
    }
    let strings = sections[Int(table.link)]
    guard strings.size <= Self.maximumNames else {
      throw ELFError(.malformed, offset: strings.headerOffset, "expected at most \(Self.maximumNames) bytes of names, found \(strings.size)")
    }
    let names = try input.bytes(at: strings.fileOffset, count: strings.size, "\(strings.size) bytes of names", header: strings.headerOffset)
    var symbols: [Symbol] = []
    var first: UInt64 = 0
    while first < count {
      let some = min(count - first, 1 << 14)
      let bytes = try input.bytes(
        at: table.fileOffset &+ first * Self.symbolSize, count: some * Self.symbolSize, "\(count) symbols", header: table.headerOffset)
      for at in stride(from: 0, to: bytes.count, by: Int(Self.symbolSize)) {
        if let symbol = Self.symbol(bytes, at, sections, names) { symbols.append(symbol) }
      }
      first += some
    }
    return Symbols(symbols: symbols, names: names)
  }

  private func sections(_ input: ELFInput) throws(ELFError) -> [Section] {
    guard sectionTable.offset > 0 else { return [] }
    guard sectionTable.entrySize == UInt64(Self.sectionSize) else {
      throw ELFError(.unsupported, offset: 58, "expected section headers of 64 bytes, found \(sectionTable.entrySize)")
    }
    var count = sectionTable.count
    if count == 0 {
      // Where there are too many for the header's field, the first one's size is how many.
      count = try input.bytes(at: sectionTable.offset, count: UInt64(Self.sectionSize), "the section headers", header: 40).field(32, 8)
    }
    guard count <= Self.maximumSections else {
      throw ELFError(.malformed, offset: 60, "expected at most \(Self.maximumSections) section headers, found \(count)")
    }
    let bytes = try input.bytes(at: sectionTable.offset, count: count * UInt64(Self.sectionSize), "\(count) section headers", header: 40)
    return stride(from: 0, to: bytes.count, by: Self.sectionSize).map { at in
      Section(
        type: UInt32(bytes.field(at + 4, 4)), flags: bytes.field(at + 8, 8), address: bytes.field(at + 16, 8), fileOffset: bytes.field(at + 24, 8),
        size: bytes.field(at + 32, 8), link: bytes.field(at + 40, 4), entrySize: bytes.field(at + 56, 8),
        headerOffset: sectionTable.offset + UInt64(at))
    }
  }

  /// The symbol of this entry, nil where it is no named place in memory.
  private static func symbol(_ bytes: [UInt8], _ at: Int, _ sections: [Section], _ names: [UInt8]) -> Symbol? {
    let name = Int(bytes.field(at, 4))
    guard name < names.count, names[name] != 0, names[name] != UInt8(ascii: "$") else { return nil }
    let type = bytes[at + 4] & 15
    // No type, an object, a function, and a function that is chosen when the program starts.
    guard [0, 1, 2, 10].contains(type) else { return nil }
    let section = Int(bytes.field(at + 6, 2))
    var sectionEnd: UInt64?
    switch section {
    // Its section's number stands elsewhere.
    case 0xffff: break
    case 1..<min(sections.count, 0xff00):
      guard sections[section].isAllocated else { return nil }
      let (end, overflow) = sections[section].address.addingReportingOverflow(sections[section].size)
      if !overflow { sectionEnd = end }
    // Undefined, absolute, common, or of a section that is not there.
    default: return nil
    }
    let binding: Symbol.Binding =
      switch bytes[at + 4] >> 4 {
      case 0: .local
      case 2: .weak
      default: .global
      }
    return Symbol(
      address: bytes.field(at + 8, 8), size: bytes.field(at + 16, 8), sectionEnd: sectionEnd, isTyped: type != 0, binding: binding, name: name)
  }
}
