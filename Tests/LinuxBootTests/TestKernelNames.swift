/// A kernel's tables of symbols as its build writes them, and where it puts them.
struct TestKernelNames {
  /// What differs between versions and configurations.
  struct Layout: CustomStringConvertible, Sendable {
    var description: String
    /// Bytes a marker.
    var marker = 4
    /// Bytes a symbol of the order by name between markers and tokens.
    var order = 0
    /// Bytes a symbol of the order by name at the end.
    var orderAtEnd = 0
    /// Offsets stand behind the tokens' index.
    var isBehind = false
    /// What is not negative is an address.
    var hasAbsolute = true
    /// Each offset is from its own place.
    var isByPlace = false

    static let all = [
      Layout(description: "4.6", marker: 8), Layout(description: "4.6, one CPU", marker: 8, hasAbsolute: false), Layout(description: "5.0"),
      Layout(description: "5.0, one CPU", hasAbsolute: false), Layout(description: "6.2, 4 bytes", order: 4), Layout(description: "6.2", order: 3),
      Layout(description: "6.4", orderAtEnd: 3, isBehind: true), Layout(description: "6.4, one CPU", orderAtEnd: 3, isBehind: true, hasAbsolute: false),
      Layout(description: "7.0", orderAtEnd: 3, isBehind: true, hasAbsolute: false, isByPlace: true),
    ]
  }

  struct Symbol {
    var address: UInt64
    /// Its letter, and then its name.
    var text: String
  }

  static let base: UInt64 = 0xffff_ffff_8100_0000

  var layout = Layout(description: "5.0")
  var symbols: [Symbol]
  /// What stands as the number of symbols, where it is not that.
  var statedCount: Int?
  /// What is put between the segment's start and the tables.
  var shift = 0
  /// Where the parts begin in `bytes`.
  private(set) var places: [String: Int] = [:]

  init(_ symbols: [Symbol], _ layout: Layout = Layout(description: "5.0")) { (self.symbols, self.layout) = (symbols, layout) }

  /// Texts that names have often, the last number's first.
  private static let often = ["t_", "T_", "D_", "symbol_", "function_", "_of_the_", "init", "exit", "__", "kernel", "0x", "A_"]

  /// Tokens by their number: characters stand for themselves, and other numbers for texts that names have often. Where there are no more, for nothing.
  static let tokens: [String] = {
    var tokens = (0..<256).map { (0x21...0x7e).contains($0) ? String(UnicodeScalar(UInt8($0))) : "" }
    for (number, text) in often.enumerated() { tokens[255 - number] = text }
    return tokens
  }()

  /// The numbers of the longest tokens that make up a text.
  private static func pack(_ text: String) -> [UInt8] {
    let texts = often.enumerated().map { (number: UInt8(255 - $0), bytes: Array($1.utf8)) }.sorted { $0.bytes.count > $1.bytes.count }
    var (rest, packed) = (Array(text.utf8)[...], [UInt8]())
    while let first = rest.first {
      let token = texts.first { $0.bytes[0] == first && rest.starts(with: $0.bytes) }
      packed.append(token?.number ?? first)
      rest = rest.dropFirst(token?.bytes.count ?? 1)
    }
    return packed
  }

  private static func word(_ value: UInt64, _ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }

  /// In the segment of the file that `vmlinux` makes, before what it is given.
  private static let bytesBefore = 40
  private static let segment: UInt64 = 0x120_0000

  private func offsets(at place: Int) -> [UInt8] {
    let address = 0xffff_ffff_8000_0000 | Self.segment + UInt64(Self.bytesBefore + shift + place)
    if layout.isByPlace { return symbols.enumerated().flatMap { Self.word($1.address &- address &- UInt64(4 * $0), 4) } }
    return symbols.flatMap { symbol in
      let isAbsolute = symbol.address < 1 << 63
      let offset = !layout.hasAbsolute ? symbol.address &- Self.base : isAbsolute ? symbol.address : Self.base &- symbol.address &- 1
      return Self.word(offset, 4)
    }
  }

  private var names: (bytes: [UInt8], markers: [UInt64]) {
    var (bytes, markers) = ([UInt8](), [UInt64]())
    for (number, symbol) in symbols.enumerated() {
      if number % 256 == 0 { markers.append(UInt64(bytes.count)) }
      let packed = Self.pack(symbol.text)
      bytes += packed.count < 0x80 ? [UInt8(packed.count)] : [UInt8(packed.count & 0x7f | 0x80), UInt8(packed.count >> 7)]
      bytes += packed
    }
    return (bytes, markers)
  }

  /// All the tables, each at a multiple of 8.
  mutating func bytes(_ tokens: [String] = Self.tokens) -> [UInt8] {
    var out: [UInt8] = []
    func add(_ name: String, _ bytes: [UInt8]) {
      out += [UInt8](repeating: 0, count: -out.count & 7)
      places[name] = out.count
      out += bytes
    }
    func addOffsets() {
      add("offsets", offsets(at: out.count + (-out.count & 7)))
      if !layout.isByPlace { add("base", Self.word(Self.base, 8)) }
    }
    let (names, markers) = self.names
    let byName = symbols.indices.sorted { symbols[$0].text.dropFirst() < symbols[$1].text.dropFirst() }
    // Three bytes have the highest first, four the lowest.
    func order(_ size: Int) -> [UInt8] { byName.flatMap { size == 3 ? Self.word(UInt64($0), 3).reversed() : Self.word(UInt64($0), size) } }
    if !layout.isBehind { addOffsets() }
    add("count", Self.word(UInt64(statedCount ?? symbols.count), 4))
    add("names", names)
    add("markers", markers.flatMap { Self.word($0, layout.marker) })
    if layout.order > 0 { add("order", order(layout.order)) }
    add("tokens", tokens.flatMap { Array($0.utf8) + [0] })
    var (starts, at) = ([UInt64](), 0)
    for token in tokens {
      starts.append(UInt64(at))
      at += token.utf8.count + 1
    }
    add("index", starts.flatMap { Self.word($0, 2) })
    if layout.isBehind {
      addOffsets()
      add("order", order(layout.orderAtEnd))
    }
    return out
  }

  /// A vmlinux that has these bytes in its second segment, between others.
  static func vmlinux(_ tables: [UInt8]) -> [UInt8] {
    let code = [UInt8](repeating: 0x0f, count: 64)
    return TestKernel.elf(entry: 0x100_0000, [(0x100_0000, code, 64), (segment, [UInt8](repeating: 0xcc, count: bytesBefore) + tables + code, 1 << 24)])
  }
}
