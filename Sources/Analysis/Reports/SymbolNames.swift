package import Symbols

/// Names beside numbers, where there are symbols and the number lies in one: the number itself is always there.
extension Optional where Wrapped == GuestSymbols {
  /// `0x100256 (round+0x12)`, or the number alone.
  package func rip(_ rip: UInt64) -> String { Self.text(rip, self?.place(rip: rip)) }

  /// The same for a guest-physical address.
  package func gpa(_ gpa: UInt64) -> String { Self.text(gpa, self?.place(gpa: gpa)) }

  /// The same for a place that is known.
  package static func text(_ number: UInt64, _ place: SymbolTable.Place?) -> String { Hex.text(number) + (place.map { " (\($0.text))" } ?? "") }

  // MARK: JSON

  /// A member that stands behind `rip`, and only where there are symbols: null for an address that has no name.
  package func ripMember(_ rip: UInt64?, _ key: String = "ripSymbol") -> [(key: String, value: JSON)] { member(key) { rip.flatMap($0.place(rip:)) } }

  /// The same for `gpa`.
  package func gpaMember(_ gpa: UInt64?, _ key: String = "gpaSymbol") -> [(key: String, value: JSON)] { member(key) { gpa.flatMap($0.place(gpa:)) } }

  private func member(_ key: String, _ place: (GuestSymbols) -> SymbolTable.Place?) -> [(key: String, value: JSON)] {
    map { [(key, .optional(place($0)) { .string($0.text) })] } ?? []
  }

  // MARK: Sentences

  /// A sentence with names behind the addresses in it. It does not say which of them are physical: those named are the ones given, and others only where
  /// it makes no difference.
  func naming(_ sentence: String, gpas: [UInt64], rips: [UInt64]) -> String {
    guard let symbols = self, sentence.contains("0x") else { return sentence }
    return sentence.split(separator: " ", omittingEmptySubsequences: false).map { word in
      guard word.hasPrefix("0x"), let number = Self.number(word) else { return String(word) }
      let places = (symbols.place(gpa: number), symbols.place(rip: number))
      let place = gpas.contains(number) && !rips.contains(number) ? places.0 : rips.contains(number) && !gpas.contains(number) ? places.1 : nil
      guard let name = place ?? (places.0 == places.1 ? places.0 : nil) else { return String(word) }
      let digits = word.prefix(2 + word.dropFirst(2).prefix { $0.isHexDigit }.count)
      return "\(digits) (\(name.text))\(word[digits.endIndex...])"
    }.joined(separator: " ")
  }

  /// The number that a word is, without the punctuation behind it; nil for a range's bound.
  private static func number(_ word: Substring) -> UInt64? {
    let digits = word.dropFirst(2).prefix { $0.isHexDigit }
    let rest = word[digits.endIndex...]
    guard rest.isEmpty || [",", ".", ";", ":", "'s", "),"].contains(rest) else { return nil }
    return UInt64(digits, radix: 16)
  }
}
