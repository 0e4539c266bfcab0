/// Named stretches of an address space, and which of them an address lies in.
///
/// A symbol whose size is known reaches so far and no farther. One whose size is not known reaches to the next symbol of either sort, but not beyond
/// its section, not beyond `longestGuess`, and not where a symbol of known size is; the last one of all is its first byte, if its section says no more.
public struct SymbolTable: Sendable {
  public struct Symbol: Sendable {
    public var address: UInt64
    /// In bytes; 0 where it is not known.
    public var size: UInt64
    /// Where its name starts among the table's names: a zero ends it, or a line's end, or their end.
    var name: UInt32
    /// Of two symbols of the same bytes the one of lower rank gives the name.
    var rank: UInt8
  }

  enum Binding: UInt8 { case global, weak, local }

  /// What decides between names of the same bytes: functions and objects before mere labels, global before weak before local ones, and the name with fewer
  /// underscores in front: a kernel's `startup_64` is also its `_text`.
  static func rank(isTyped: Bool, _ binding: Binding, underscores: Int) -> UInt8 {
    (isTyped ? 0 : 32) + binding.rawValue * 8 + UInt8(min(underscores, 7))
  }

  /// An address by a symbol that it lies in.
  public struct Place: Hashable, Sendable {
    public var symbol: String
    /// The kernel module that it belongs to, where the file says so.
    public var module: String?
    /// From the symbol's start, in bytes.
    public var offset: UInt64

    /// As a kernel's own messages have it: `do_syscall_64+0x3b`, with the module behind where there is one, but without `+0x0`.
    public var text: String {
      symbol + (offset == 0 ? "" : "+0x" + String(offset, radix: 16)) + (module.map { " [\($0)]" } ?? "")
    }
  }

  /// No guess at a size is larger: 1 MiB.
  public static let longestGuess: UInt64 = 1 << 20

  /// A part of a symbol that no other one gives its name to.
  private struct Stretch {
    var start: UInt64
    /// Inclusive.
    var last: UInt64
    var symbol: Int32
  }

  /// By ascending address, without overlaps.
  private var stretches: [Stretch] = []
  /// By ascending address.
  public private(set) var symbols: [Symbol] = []
  private let names: [UInt8]

  /// `sectionEnds` are the ends of the symbols' sections (exclusive), in the order of `symbols`, where these are known.
  init(_ symbols: [Symbol], sectionEnds: [UInt64?]? = nil, names: [UInt8]) {
    self.names = names
    // Places in the order of addresses, the enclosing one before what lies in it, the better name first, and then as in the file.
    let order = symbols.indices.sorted { left, right in
      let (a, b) = (symbols[left], symbols[right])
      return (a.address, b.size, a.rank, left) < (b.address, a.size, b.rank, right)
    }
    self.symbols = order.map { symbols[$0] }
    let sized = sizedStretches()
    stretches = merge(sized, guessedStretches(order.map { sectionEnds?[$0] }))
  }

  /// The symbols of known size, cut up so that of nested ones the innermost has its bytes.
  private func sizedStretches() -> [Stretch] {
    var found: [Stretch] = []
    var open: [(symbol: Int32, last: UInt64)] = []
    /// The first byte that has no owner yet; nil past the end of the address space.
    var cursor: UInt64? = 0
    func give(upTo last: UInt64, to symbol: Int32) {
      guard let start = cursor, start <= last else { return }
      found.append(Stretch(start: start, last: last, symbol: symbol))
      cursor = last == .max ? nil : last + 1
    }
    for (index, symbol) in symbols.enumerated() where symbol.size > 0 {
      let (end, overflow) = symbol.address.addingReportingOverflow(symbol.size - 1)
      let last = overflow ? .max : end
      if let previous = open.last, symbols[Int(previous.symbol)].address == symbol.address, previous.last == last { continue }
      while let top = open.last, top.last < symbol.address {
        give(upTo: top.last, to: top.symbol)
        open.removeLast()
      }
      if let top = open.last, symbol.address > 0 { give(upTo: symbol.address - 1, to: top.symbol) }
      if let start = cursor, start < symbol.address { cursor = symbol.address }
      open.append((Int32(index), last))
    }
    while let top = open.popLast() { give(upTo: top.last, to: top.symbol) }
    return found
  }

  /// The symbols of unknown size with what they may reach to.
  private func guessedStretches(_ sectionEnds: [UInt64?]) -> [Stretch] {
    var found: [Stretch] = []
    var next: UInt64?
    var index = symbols.count
    while index > 0 {
      // All symbols of one address are looked at together; the first of those without a size is the best of them.
      var first = index - 1
      let address = symbols[first].address
      while first > 0, symbols[first - 1].address == address { first -= 1 }
      if symbols[first].size == 0, let guess = (first..<index).first(where: { !isEndMark(symbols[$0]) }) {
        let sectionEnd = sectionEnds[guess]
        // Of the last one nothing says where it ends, unless its section does: it is there, and that is all.
        let limits = [address &+ (Self.longestGuess - 1), next.map { $0 - 1 } ?? sectionEnd ?? address, sectionEnd.map { $0 &- 1 } ?? .max]
        if sectionEnd.map({ $0 > address }) ?? true {
          found.append(Stretch(start: address, last: limits.filter { $0 >= address }.min() ?? address, symbol: Int32(guess)))
        }
      }
      next = address
      index = first
    }
    return found.reversed()
  }

  /// Those of unknown size keep what starts outside all others, up to the next of these.
  private func merge(_ sized: [Stretch], _ guessed: [Stretch]) -> [Stretch] {
    var merged: [Stretch] = []
    merged.reserveCapacity(sized.count + guessed.count)
    var at = 0
    for guess in guessed {
      while at < sized.count, sized[at].start <= guess.start {
        merged.append(sized[at])
        at += 1
      }
      if let before = merged.last, before.last >= guess.start { continue }
      merged.append(guess)
    }
    return merged + sized[at...]
  }

  /// By convention (end(3)) these name the first address past something, and no bytes.
  private func isEndMark(_ symbol: Symbol) -> Bool { ["etext", "_etext", "edata", "_edata", "end", "_end"].contains(name(of: symbol).symbol) }
}

extension SymbolTable {
  /// The symbol that an address lies in, nil where it lies in none.
  public func place(at address: UInt64) -> Place? {
    var (low, high) = (0, stretches.count)
    while low < high {
      let middle = (low + high) / 2
      if stretches[middle].start <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0, address <= stretches[low - 1].last else { return nil }
    let symbol = symbols[Int(stretches[low - 1].symbol)]
    let name = name(of: symbol)
    return Place(symbol: name.symbol, module: name.module, offset: address - symbol.address)
  }

  /// All symbols of this name, by ascending address.
  public func symbols(named name: String) -> [Symbol] {
    let wanted = Array(name.utf8)
    guard !wanted.isEmpty else { return [] }
    return symbols.filter { symbol in
      var at = Int(symbol.name)
      for byte in wanted {
        guard at < names.count, names[at] == byte else { return false }
        at += 1
      }
      return at == names.count || Self.endsName(names[at])
    }
  }

  /// The bytes that have this symbol's name, from its address on: its size, or how far it is taken to reach. At least 1.
  public func extent(of symbol: Symbol) -> UInt64 {
    if symbol.size > 0 { return symbol.size }
    let next = Self.first(0..<symbols.count) { symbols[$0].address > symbol.address }
    let stretch = Self.first(0..<stretches.count) { stretches[$0].start >= symbol.address }
    guard stretch < stretches.count, stretches[stretch].start == symbol.address else { return 1 }
    return min(stretches[stretch].last, next < symbols.count ? symbols[next].address - 1 : .max) - symbol.address + 1
  }

  /// The first index for which it is so, given that it is so for all behind it; the end where it is so for none.
  private static func first(_ range: Range<Int>, where isSo: (Int) -> Bool) -> Int {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if isSo(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// The bytes that a symbol names.
  public struct Extent: Hashable, Sendable {
    public var addresses: ClosedRange<UInt64>
    public var module: String?
  }

  /// All bytes that each of these names is given to, found in one pass: of each name the first `limit` symbols.
  public func extents(named wanted: Set<String>, limit: Int) -> [String: [Extent]] {
    var found: [String: [Extent]] = [:]
    if wanted.isEmpty { return found }
    for symbol in symbols {
      let (name, module) = name(of: symbol)
      guard wanted.contains(name), found[name]?.count ?? 0 < limit else { continue }
      let (last, overflow) = symbol.address.addingReportingOverflow(extent(of: symbol) - 1)
      found[name, default: []].append(Extent(addresses: symbol.address...(overflow ? .max : last), module: module))
    }
    return found
  }

  /// Names of symbols in the order of their addresses.
  public var allNames: some Sequence<String> { symbols.lazy.map { name(of: $0).symbol } }

  /// A name is not shown beyond this; compilers make longer ones.
  private static let longestName = 1024

  private static func endsName(_ byte: UInt8) -> Bool { byte == 0 || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\t") }

  /// A symbol's name and module. Control characters, which a stranger's file may hold for the terminal, are replaced.
  private func name(of symbol: Symbol) -> (symbol: String, module: String?) {
    let start = Int(symbol.name)
    var end = start
    while end < names.count, !Self.endsName(names[end]), end - start < Self.longestName { end += 1 }
    let isCut = end < names.count && !Self.endsName(names[end])
    let text = Self.printable(names[start..<end]) + (isCut ? "…" : "")
    guard end + 2 < names.count, names[end] == UInt8(ascii: "\t"), names[end + 1] == UInt8(ascii: "[") else { return (text, nil) }
    let module = names[(end + 2)...].prefix { $0 != UInt8(ascii: "]") && !Self.endsName($0) }.prefix(64)
    return (text, Self.printable(module))
  }

  private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "\u{fffd}" : $0 }))
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) }
}
