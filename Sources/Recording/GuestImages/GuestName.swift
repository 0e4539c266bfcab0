import ELFFormat

/// The name of a stretch of a built-in guest: a label of its code and constants, or memory that it uses.
public struct GuestName: Hashable, Sendable {
  public let address: UInt64
  /// In bytes, at least 1.
  public let size: UInt64
  /// As nm has it: T in the image, B beyond it.
  public let letter: Character
  public let name: String

  /// A line of a map of symbols, as `nm -S` writes it.
  public var line: String { "\(Self.padded(address)) \(Self.padded(size)) \(letter) \(name)" }

  /// An address or a size as nm writes it.
  package static func padded(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// What the assembler wrote beside an image: addresses, sizes, letters and names. Where no size is given it reaches to the next label, or to the image's end.
  static func all(_ bytes: [UInt8], imageEnd: UInt64) -> [GuestName] {
    var entries: [(address: UInt64, size: UInt64, letter: Character, name: String)] = []
    var at = 0
    while at + 17 < bytes.count {
      let name = bytes[(at + 17)...].prefix { $0 != 0 }
      entries.append((bytes.field(at, 8), bytes.field(at + 8, 8), Character(Unicode.Scalar(bytes[at + 16])), String(decoding: name, as: UTF8.self)))
      at += 18 + name.count
    }
    let labels = entries.filter { $0.size == 0 }.map(\.address).sorted()
    return entries.compactMap { entry in
      let end = labels.first { $0 > entry.address } ?? imageEnd
      let size = entry.size > 0 ? entry.size : end - entry.address
      return entry.name.isEmpty || size == 0 ? nil : GuestName(address: entry.address, size: size, letter: entry.letter, name: entry.name)
    }
  }
}
