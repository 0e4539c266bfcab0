/// The symbols that a kernel holds within itself, for its own messages (`CONFIG_KALLSYMS`): what a System.map would say, where a distribution ships none.
///
/// Linux's build (scripts/kallsyms.c) leaves tables, of which nothing says where they are: how many symbols there are, their names, a marker for every 256th
/// name, 256 tokens that names are made of, and where each token is. They are found by the tokens: those of digits stand next to each other. Addresses
/// are in front of all that up to Linux 6.3, and behind it since.
public struct KernelNames: Sendable {
  public struct Symbol: Hashable, Sendable {
    public var address: UInt64
    /// As nm(1) has it.
    public var type: Character
    public var name: String
  }

  /// By ascending address, each CPU's own data first: those have offsets, and the letter is `A`.
  public let symbols: [Symbol]

  private static let nameLimit = 2048
  private static let upperHalf: UInt64 = 1 << 63

  /// Of a kernel that was unpacked.
  public init(_ kernel: KernelImage) throws(LinuxBootError) {
    for segment in kernel.segments {
      if let symbols = Self.symbols(in: segment.bytes) {
        self.symbols = symbols
        return
      }
    }
    throw LinuxBootError(
      .unsupported, "expected a kernel that holds its symbols (CONFIG_KALLSYMS, 64-bit, Linux 4.6 or later), found no table of them")
  }

  private static func symbols(in bytes: [UInt8]) -> [Symbol]? {
    let digits = Array("0\u{0}1\u{0}2\u{0}3\u{0}4\u{0}5\u{0}6\u{0}7\u{0}8\u{0}9\u{0}".utf8)
    var at = 0
    while let found = bytes.firstPlace(of: digits, from: at) {
      if let tables = KernelNameTables(bytes, digits: found) { return decode(tables) }
      at = found + 1
    }
    return nil
  }

  private static func decode(_ tables: KernelNameTables) -> [Symbol]? {
    var symbols: [Symbol] = []
    symbols.reserveCapacity(tables.count)
    var at = tables.names
    for index in 0..<tables.count {
      guard let text = tables.text(&at), let letter = text.first, let address = tables.address(index), text.count <= nameLimit else { return nil }
      let type = address < upperHalf ? "A" : Character(UnicodeScalar(letter))
      symbols.append(Symbol(address: address, type: type, name: String(decoding: text.dropFirst(), as: UTF8.self)))
    }
    return symbols
  }
}

extension KernelNames.Symbol {
  /// A line of a System.map.
  public var line: String {
    let digits = String(address, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits + " \(type) " + name
  }
}

/// Where the tables are, and what they say.
private struct KernelNameTables {
  let count: Int
  let names: Int
  private let bytes: [UInt8]
  private let tokens: [Range<Int>]
  private var offsets = 0
  private var base: UInt64 = 0
  /// Offsets are negative but for each CPU's own data (`CONFIG_KALLSYMS_ABSOLUTE_PERCPU`).
  private var hasPerCPU = false

  private static let tokenCount = 256
  private static let tokenLimit = 512
  private static let namesPerMarker = 256
  private static let symbolLimit = 1 << 22
  private static let alignment = 8
  /// Bytes that the names between two markers can take, each with its length.
  private static let longestGroup = namesPerMarker * 258

  /// With the token of the digit 0 at `digits`; nil where these are no such tables.
  init?(_ bytes: [UInt8], digits: Int) {
    self.bytes = bytes
    guard let first = Self.tokenStart(bytes, digits), let tokens = Self.tokens(bytes, first) else { return nil }
    self.tokens = tokens
    let index = (tokens[Self.tokenCount - 1].upperBound + 1).rounded(up: Self.alignment)
    for (number, token) in tokens.enumerated() {
      guard bytes.word(index + 2 * number, 2) == UInt64(token.lowerBound - first) else { return nil }
    }
    guard let (names, count) = Self.names(bytes, before: first) else { return nil }
    self.names = names
    self.count = count
    // Behind the tokens, or before the number of names; with the address that they are counted from behind them.
    let behind = (index + 2 * Self.tokenCount).rounded(up: Self.alignment)
    let before = names - 2 * Self.alignment - (4 * count).rounded(up: Self.alignment)
    guard take(offsets: before) || take(offsets: behind) else { return nil }
  }

  /// Tokens are zero-ended, one behind the other, and a character that is one of its own has its code as its number.
  private static func tokenStart(_ bytes: [UInt8], _ digits: Int) -> Int? {
    var at = digits
    for _ in 0..<UInt8(ascii: "0") {
      // The zero that ends the one before.
      guard at > 0, bytes[at - 1] == 0 else { return nil }
      var start = at - 1
      while start > 0, bytes[start - 1] != 0 {
        start -= 1
        if at - start > tokenLimit { return nil }
      }
      at = start
    }
    return at
  }

  private static func tokens(_ bytes: [UInt8], _ first: Int) -> [Range<Int>]? {
    var tokens: [Range<Int>] = []
    var at = first
    for _ in 0..<tokenCount {
      guard let end = bytes[at...].prefix(tokenLimit).firstIndex(of: 0) else { return nil }
      tokens.append(at..<end)
      at = end + 1
    }
    return tokens
  }

  /// Where the names are, and how many: in front of the markers, which are in front of the tokens, or of three bytes for each name (the names' order by
  /// the alphabet, from 6.1 to 6.3).
  private static func names(_ bytes: [UInt8], before tokens: Int) -> (start: Int, count: Int)? {
    var end = tokens & ~3
    while end >= 4, tokens - end <= 3 * symbolLimit + alignment {
      if let markers = markers(bytes, end) {
        let (gap, most) = (tokens - end, markers.places.count * namesPerMarker)
        if gap < alignment || gap > 3 * (most - namesPerMarker) && gap < 3 * most + 2 * alignment, let found = names(bytes, markers.start, markers.places) {
          return found
        }
      }
      end -= 4
    }
    return nil
  }

  /// The markers that end there: where every 256th name is, ascending, from the first one's 0 on.
  private static func markers(_ bytes: [UInt8], _ end: Int) -> (start: Int, places: [Int])? {
    var at = end
    var found: [Int] = []
    while let value = bytes.word(at - 4, 4).map(Int.init), found.last.map({ value < $0 && $0 - value <= longestGroup }) ?? true {
      at -= 4
      found.append(value)
      if value == 0 { return found.count > 1 || end - at == 4 ? (at, found.reversed()) : nil }
    }
    return nil
  }

  /// The names, which end before the markers, and how many they are, which stands before them.
  private static func names(_ bytes: [UInt8], _ end: Int, _ markers: [Int]) -> (start: Int, count: Int)? {
    let last = markers[markers.count - 1]
    var start = (end - last) & ~(alignment - 1)
    while start >= alignment, end - last - start <= longestGroup + alignment {
      if let count = bytes.word(start - alignment, 4).map(Int.init), count > (markers.count - 1) * namesPerMarker, count <= markers.count * namesPerMarker,
        Self.fits(bytes, start, count, markers, end)
      {
        return (start, count)
      }
      start -= alignment
    }
    return nil
  }

  private static func fits(_ bytes: [UInt8], _ start: Int, _ count: Int, _ markers: [Int], _ end: Int) -> Bool {
    var at = start
    for index in 0..<count {
      if index % namesPerMarker == 0, at - start != markers[index / namesPerMarker] { return false }
      guard let length = Self.length(bytes, &at), length > 0, at + length <= end else { return false }
      at += length
    }
    return end - at < alignment
  }

  /// How many tokens a name has: a byte, or since Linux 6.1 two where the first one's top bit is set.
  private static func length(_ bytes: [UInt8], _ at: inout Int) -> Int? {
    guard at < bytes.count else { return nil }
    let first = Int(bytes[at])
    at += 1
    guard first & 0x80 != 0 else { return first }
    guard at < bytes.count else { return nil }
    defer { at += 1 }
    return first & 0x7f | Int(bytes[at]) << 7
  }

  /// Takes addresses from there, if there are any that a kernel can have.
  private mutating func take(offsets: Int) -> Bool {
    guard offsets >= 0, let base = bytes.word(offsets + (4 * count).rounded(up: Self.alignment), 8), base >= 1 << 63 else { return false }
    (self.offsets, self.base) = (offsets, base)
    hasPerCPU = (0..<count).contains { bytes.word(offsets + 4 * $0, 4).map { $0 >= 1 << 31 } ?? false }
    var last: UInt64 = 0
    for index in 0..<count {
      guard let address = address(index), address >= last else { return false }
      last = address
    }
    return true
  }

  func address(_ index: Int) -> UInt64? {
    guard let word = bytes.word(offsets + 4 * index, 4) else { return nil }
    guard hasPerCPU else { return base &+ word }
    let offset = Int32(truncatingIfNeeded: Int64(word))
    return offset >= 0 ? UInt64(offset) : base &- 1 &- UInt64(bitPattern: Int64(offset))
  }

  /// The letter and the name at `at`, and goes on to the next.
  func text(_ at: inout Int) -> [UInt8]? {
    guard let length = Self.length(bytes, &at), at + length <= bytes.count else { return nil }
    defer { at += length }
    return bytes[at..<at + length].flatMap { bytes[tokens[Int($0)]] }
  }
}

extension Int {
  fileprivate func rounded(up unit: Int) -> Int { (self + unit - 1) / unit * unit }
}

extension [UInt8] {
  /// A little-endian word of `size` bytes, nil where there is none.
  fileprivate func word(_ at: Int, _ size: Int) -> UInt64? {
    guard at >= 0, at <= count - size else { return nil }
    var value: UInt64 = 0
    for index in (0..<size).reversed() { value = value << 8 | UInt64(self[at + index]) }
    return value
  }

  /// Where the first such bytes begin.
  fileprivate func firstPlace(of wanted: [UInt8], from start: Int) -> Int? {
    var at = start
    while at + wanted.count <= count {
      if self[at] == wanted[0], self[at..<at + wanted.count].elementsEqual(wanted) { return at }
      at += 1
    }
    return nil
  }
}
