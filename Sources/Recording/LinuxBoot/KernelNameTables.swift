import ELFFormat

/// Where a kernel's tables of symbols are, and what they say.
///
/// Linux's build (scripts/kallsyms.c) leaves them one behind the other, each at a multiple of 8, and nothing says where. Since Linux 4.6 these are,
/// by the kernel's names for them:
///
/// - `kallsyms_offsets`, `kallsyms_relative_base`: 32 bits a symbol, by ascending address, and the lowest address of the kernel's own, which they are
///   counted from. Since Linux 6.4 both are behind all but the last. Since 7.0 there is no such address: each is counted from where it stands itself.
/// - `kallsyms_num_syms`: how many symbols there are.
/// - `kallsyms_names`: of each how many bytes follow (since 6.1 two bytes, the lower 7 bits first, where the top bit is set), and that many numbers of
///   tokens.
/// - `kallsyms_markers`: where every 256th name starts; 64 bits each in versions before about 4.20, 32 since.
/// - `kallsyms_seqs_of_names`: the order by name, 3 or 4 bytes a symbol. Here in 6.2, 6.3 and stable versions of 6.1, behind all others since 6.4.
/// - `kallsyms_token_table`: 256 zero-ended texts, which names are made of.
/// - `kallsyms_token_index`: 16 bits for each of them, where it starts.
///
/// The index is found by its form, and proven by the tokens before it. The number of names is what fits between it and them.
struct KernelNameTables {
  /// What was not found, and where it was looked for.
  enum Problem: Error, Hashable {
    case noTokens
    case noNames(tokens: UInt64)
    case noAddresses(count: Int, tokens: UInt64)
    case badName(number: Int, tokens: UInt64)
  }

  static let alignment = 8

  private let bytes: [UInt8]
  private let tokens: [Range<Int>]
  private let names: Int
  private let count: Int
  private let addresses: Addresses

  private static let tokenCount = 256
  private static let namesPerMarker = 256
  private static let symbolLimit = 1 << 22
  /// With its letter. The kernel's KSYM_NAME_LEN is 128, since 6.1 512; its build reads no longer ones than that.
  private static let nameLimit = 2048
  private static let textLimit = 1 << 28

  /// The next place from there that holds what an index of tokens could be: ascending numbers from 0 on. No byte is looked at more than twice.
  static func nextIndex(_ bytes: [UInt8], from start: Int) -> Int? {
    var at = start
    while at + 2 * tokenCount <= bytes.count {
      if bytes[at] == 0, bytes[at + 1] == 0 {
        var (number, last) = (1, 0)
        while number < tokenCount {
          let value = Int(bytes[at + 2 * number]) | Int(bytes[at + 2 * number + 1]) << 8
          guard value > last else { break }
          (number, last) = (number + 1, value)
        }
        if number == tokenCount { return at }
      }
      at += alignment
    }
    return nil
  }

  /// Around what `nextIndex` found, in bytes that the kernel has at an address. The budget is how many names may still be read on the way.
  init(_ bytes: [UInt8], at address: UInt64, index: Int, budget: inout Int) throws(Problem) {
    self.bytes = bytes
    guard let tokens = Self.tokens(bytes, before: index) else { throw .noTokens }
    self.tokens = tokens
    let first = tokens[0].lowerBound
    guard let (names, count) = Self.names(bytes, before: first, &budget) else { throw .noNames(tokens: UInt64(first)) }
    (self.names, self.count) = (names, count)
    let (before, behind) = (names - 2 * Self.alignment - (4 * count).aligned, index + 2 * Self.tokenCount)
    let found =
      Addresses(bytes, offsets: before, count: count) ?? Addresses(bytes, offsets: behind, count: count)
      ?? Addresses(bytes, offsets: behind, count: count, at: address)
    guard let addresses = found else { throw .noAddresses(count: count, tokens: UInt64(first)) }
    self.addresses = addresses
  }

  func symbols() throws(Problem) -> [KernelNames.Symbol] {
    var symbols: [KernelNames.Symbol] = []
    symbols.reserveCapacity(count)
    var (at, size) = (names, 0)
    var text: [UInt8] = []
    for number in 0..<count {
      text.removeAll(keepingCapacity: true)
      let length = Self.length(bytes, &at) ?? 0
      for token in bytes[at..<at + length] where text.count <= Self.nameLimit { text += bytes[tokens[Int(token)]] }
      at += length
      size += text.count
      // What is no name of a C compiler's would not be a line of a System.map either.
      guard (2...Self.nameLimit).contains(text.count), size <= Self.textLimit, text.allSatisfy({ (0x21...0x7e).contains($0) }) else {
        throw .badName(number: number, tokens: UInt64(tokens[0].lowerBound))
      }
      let address = addresses[number]
      let type = Addresses.isKernel(address) ? Character(UnicodeScalar(text[0])) : "A"
      symbols.append(KernelNames.Symbol(address: address, type: type, name: String(decoding: text[1...], as: UTF8.self)))
    }
    return symbols
  }

  /// The tokens that end before their index, if it says where each of them starts.
  private static func tokens(_ bytes: [UInt8], before index: Int) -> [Range<Int>]? {
    let starts = (0..<tokenCount).map { Int(bytes[index + 2 * $0]) | Int(bytes[index + 2 * $0 + 1]) << 8 }
    // The last token's end, and what fills up to the index. It has a text: the build gives the last number the token that saves most.
    var end = index
    while end > 0, index - end < alignment, bytes[end - 1] == 0 { end -= 1 }
    var start = end
    while start > 0, end - start <= nameLimit, bytes[start - 1] != 0 { start -= 1 }
    let first = start - starts[tokenCount - 1]
    guard end < index, start < end, first >= 0, first % alignment == 0 else { return nil }
    var tokens: [Range<Int>] = []
    tokens.reserveCapacity(tokenCount)
    for number in 0..<tokenCount {
      let token = first + starts[number]..<(number + 1 < tokenCount ? first + starts[number + 1] - 1 : end)
      guard token.count <= nameLimit, bytes[token.upperBound] == 0, !bytes[token].contains(0) else { return nil }
      tokens.append(token)
    }
    return tokens
  }

  /// Where the names start that these tokens are for, and how many they are.
  private static func names(_ bytes: [UInt8], before tokens: Int, _ budget: inout Int) -> (start: Int, count: Int)? {
    var start = tokens
    while start >= alignment, budget > 0 {
      if let count = bytes.word(start - alignment, 8), (1...UInt64(symbolLimit)).contains(count),
        fits(bytes, start, Int(count), before: tokens, &budget)
      {
        return (start, Int(count))
      }
      start -= alignment
    }
    return nil
  }

  /// Whether so many names and their markers, and perhaps their order, end where the tokens start.
  private static func fits(_ bytes: [UInt8], _ start: Int, _ count: Int, before tokens: Int, _ budget: inout Int) -> Bool {
    let markerCount = (count + namesPerMarker - 1) / namesPerMarker
    // No name is shorter than a token, or longer than the longest of tokens of a character.
    guard (2 * count + 4 * markerCount...(nameLimit + 16) * count + 64).contains(tokens - start) else { return false }
    var markers: [UInt64] = []
    var at = start
    for number in 0..<count {
      if number % namesPerMarker == 0 { markers.append(UInt64(at - start)) }
      budget -= 1
      guard budget > 0, let length = length(bytes, &at), length > 0, at + length <= tokens else { return false }
      at += length
    }
    at = at.aligned
    return [4, 8].contains { width in
      let end = (at + width * markerCount).aligned
      guard [0, 3, 4].contains(where: { (end + $0 * count).aligned == tokens }) else { return false }
      return markers.indices.allSatisfy { bytes.word(at + width * $0, width) == markers[$0] }
    }
  }

  /// How many tokens a name has; `at` goes on to the first of them.
  private static func length(_ bytes: [UInt8], _ at: inout Int) -> Int? {
    guard at < bytes.count else { return nil }
    let low = Int(bytes[at])
    at += 1
    guard low & 0x80 != 0 else { return low }
    guard at < bytes.count, bytes[at] & 0x80 == 0 else { return nil }
    defer { at += 1 }
    return low & 0x7f | Int(bytes[at]) << 7
  }
}

/// Symbols' addresses, as kernel/kallsyms.c computes them (`kallsyms_sym_address`).
private struct Addresses {
  private let bytes: [UInt8]
  private let offsets: Int
  /// What they are counted from, the first of them where each is from its own place.
  private let base: UInt64
  private let isByPlace: Bool
  /// Offsets that are not negative are addresses (`CONFIG_KALLSYMS_ABSOLUTE_PERCPU`): of each CPU's own data.
  private let hasAbsolute: Bool

  /// Nil where there are none: a kernel's are in the upper half, start with what they are counted from, and ascend.
  init?(_ bytes: [UInt8], offsets: Int, count: Int) {
    guard offsets >= 0, let base = bytes.word(offsets + (4 * count).aligned, 8), Self.isKernel(base) else { return nil }
    (self.bytes, self.offsets, self.base, isByPlace) = (bytes, offsets, base, false)
    // Without them an offset is as large as the kernel, which is less than 2 GiB.
    hasAbsolute = (0..<count).contains { bytes[offsets + 4 * $0 + 3] & 0x80 != 0 }
    var last: UInt64 = 0
    var startsAtBase = false
    for number in 0..<count {
      let address = self[number]
      guard address >= last, startsAtBase || address == base || !Self.isKernel(address) else { return nil }
      if address == base { startsAtBase = true }
      last = address
    }
    guard startsAtBase else { return nil }
  }

  /// Each from its own place, in bytes that the kernel has at `address`. The first symbol is the kernel's own start, and so stands before all tables.
  init?(_ bytes: [UInt8], offsets: Int, count: Int, at address: UInt64) {
    guard offsets >= 0, offsets + 4 * count <= bytes.count else { return nil }
    (self.bytes, self.offsets, base, isByPlace, hasAbsolute) = (bytes, offsets, address &+ UInt64(offsets), true, false)
    guard bytes[offsets + 3] & 0x80 != 0 else { return nil }
    var last: UInt64 = 0
    for number in 0..<count {
      let address = self[number]
      guard address >= last, Self.isKernel(address) else { return nil }
      last = address
    }
  }

  subscript(number: Int) -> UInt64 {
    let offset = UInt32(bytes.word(offsets + 4 * number, 4) ?? 0)
    if isByPlace { return base &+ UInt64(4 * number) &+ UInt64(bitPattern: Int64(Int32(bitPattern: offset))) }
    guard hasAbsolute else { return base &+ UInt64(offset) }
    let signed = Int64(Int32(bitPattern: offset))
    return signed >= 0 ? UInt64(signed) : base &+ UInt64(-1 - signed)
  }

  static func isKernel(_ address: UInt64) -> Bool { address >= 1 << 63 }
}

extension KernelNameTables.Problem {
  /// Places in a segment become those in memory.
  func moved(by gpa: UInt64) -> Self {
    switch self {
    case .noTokens: self
    case .noNames(let tokens): .noNames(tokens: gpa &+ tokens)
    case .noAddresses(let count, let tokens): .noAddresses(count: count, tokens: gpa &+ tokens)
    case .badName(let number, let tokens): .badName(number: number, tokens: gpa &+ tokens)
    }
  }

  var text: String {
    switch self {
    case .noTokens:
      "expected a kernel that holds its symbols (CONFIG_KALLSYMS; 64-bit, Linux 4.6 or later): 256 tokens and their index; found none"
    case .noNames(let tokens):
      "expected the number of symbols, their names, and markers of every 256th before the tokens at \(hex(tokens)); found none that fit together"
    case .noAddresses(let count, let tokens):
      """
      expected \(count) ascending offsets and the kernel's address that they count from (CONFIG_KALLSYMS_BASE_RELATIVE), before the names or behind the \
      tokens at \(hex(tokens)), or there offsets from their own places (Linux 7.0); found none
      """
    case .badName(let number, let tokens):
      "expected a letter and a name of printable characters as symbol \(number), by the tokens at \(hex(tokens)); found others, or too many"
    }
  }
}

extension Int {
  /// Where the next table starts.
  fileprivate var aligned: Int { (self + KernelNameTables.alignment - 1) & -KernelNameTables.alignment }
}

extension [UInt8] {
  /// A little-endian word of `size` bytes, nil where there is none.
  fileprivate func word(_ at: Int, _ size: Int) -> UInt64? {
    at >= 0 && at <= count - size ? field(at, size) : nil
  }
}
