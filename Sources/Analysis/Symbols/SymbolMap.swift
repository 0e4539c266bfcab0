/// The text that `nm` writes: a kernel's `System.map`, `/proc/kallsyms`, the output of `nm -n` and of `nm -nS`.
///
/// A line is an address, a size where `nm -S` knows it, a letter and a name, and in `/proc/kallsyms` a module in brackets. The letter says what it is
/// (nm(1)); undefined symbols, which have no address, and constants and per-CPU offsets (`A`), which are none, are passed over.
struct SymbolMap {
  private static let maximumSymbols = 1 << 22
  /// Letters of symbols that are places: text, data, read-only data, bss, small data, weak and unique ones, indirect functions.
  private static let places = Set("tTdDrRbBgGsSwWvVuiI".utf8)
  private static let others = Set("aAcCnNpPU-?".utf8)

  private(set) var symbols: [SymbolTable.Symbol] = []
  private let bytes: [UInt8]
  private var lineCount = 0
  /// Lines whose symbol has an address, and those of them whose address is not 0.
  private var (addressed, nonzero) = (0, 0)

  init(_ bytes: [UInt8]) throws(SymbolError) {
    self.bytes = bytes
    var at = 0
    while at < bytes.count {
      var end = at
      while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
      lineCount += 1
      try take(at..<end)
      at = end + 1
    }
    if symbols.count == 1, text(of: symbols[0]).starts(with: Self.standIn.utf8) {
      throw SymbolError("it stands in for another file, and says so: \(String(decoding: text(of: symbols[0]), as: UTF8.self).debugDescription)", at: .line(1))
    }
    if addressed > 0, nonzero == 0 {
      throw SymbolError(
        "all addresses are 0: a kernel shows those of /proc/kallsyms to root alone, and to nobody where the sysctl kernel.kptr_restrict is 2")
    }
  }

  /// What Debian's kernels come with has this one name.
  private static let standIn = "The real System.map is in"

  private func text(of symbol: SymbolTable.Symbol) -> ArraySlice<UInt8> { bytes[Int(symbol.name)...].prefix { $0 >= 0x20 }.prefix(200) }

  private mutating func take(_ line: Range<Int>) throws(SymbolError) {
    var at = line.lowerBound
    // Where nm knows no address there are spaces, and a symbol that is not here.
    let isAddressless = at < line.upperBound && bytes[at] == 0x20
    let first = word(line, from: &at)
    if first.isEmpty { return }
    guard !isAddressless else {
      guard first.count == 1, "Uwv".utf8.contains(bytes[first.lowerBound]), !name(line, from: at).isEmpty else { throw expected(line) }
      return
    }
    var letter = word(line, from: &at)
    var size: UInt64? = 0
    if letter.count > 1 || letter.count == 1 && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[letter.lowerBound]) {
      size = number(letter)
      letter = word(line, from: &at)
    }
    let name = name(line, from: at)
    guard let address = number(first), let size, letter.count == 1, !name.isEmpty else { throw expected(line) }
    let kind = bytes[letter.lowerBound]
    guard Self.places.contains(kind) || Self.others.contains(kind) else { throw expected(line) }
    addressed += 1
    if address != 0 { nonzero += 1 }
    guard Self.places.contains(kind) else { return }
    guard symbols.count < Self.maximumSymbols else { throw SymbolError("expected at most \(Self.maximumSymbols) symbols", at: .line(lineCount)) }
    symbols.append(SymbolTable.Symbol(address: address, size: size, name: UInt32(name.lowerBound), rank: rank(kind, name)))
  }

  /// Global ones before weak ones before local ones.
  private func rank(_ kind: UInt8, _ name: Range<Int>) -> UInt8 {
    let binding: SymbolTable.Binding =
      switch kind {
      case UInt8(ascii: "w"), UInt8(ascii: "W"), UInt8(ascii: "v"), UInt8(ascii: "V"): .weak
      case UInt8(ascii: "a")...UInt8(ascii: "z") where kind != UInt8(ascii: "u"): .local
      default: .global
      }
    return SymbolTable.rank(isTyped: true, binding, underscores: bytes[name].prefix { $0 == UInt8(ascii: "_") }.count)
  }

  /// The next word and what is behind it, empty at the end of the line.
  private func word(_ line: Range<Int>, from at: inout Int) -> Range<Int> {
    while at < line.upperBound, bytes[at] == 0x20 || bytes[at] == 0x0d { at += 1 }
    let start = at
    while at < line.upperBound, bytes[at] != 0x20, bytes[at] != 0x0d { at += 1 }
    return start..<at
  }

  private func expected(_ line: Range<Int>) -> SymbolError {
    let start = String(decoding: bytes[line].prefix(40), as: UTF8.self).debugDescription
    return SymbolError("expected an address, a letter and a name, as in 'ffffffff81000000 T _text', found \(start)", at: .line(lineCount))
  }

  /// The rest of the line, up to a tab: names that were demangled have spaces in them.
  private func name(_ line: Range<Int>, from start: Int) -> Range<Int> {
    var at = start
    while at < line.upperBound, bytes[at] == 0x20 { at += 1 }
    var end = at
    while end < line.upperBound, bytes[end] != 0x09, bytes[end] != 0x0d { end += 1 }
    return at..<end
  }

  private func number(_ word: Range<Int>) -> UInt64? {
    guard (1...16).contains(word.count), bytes[word].allSatisfy(isHexadecimal) else { return nil }
    return bytes[word].reduce(0) { $0 << 4 | UInt64($1 & 15) + ($1 > UInt8(ascii: "9") ? 9 : 0) }
  }

  private func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): true
    default: false
    }
  }
}
