public import Analyzer
public import Symbols

extension AllowListText {
  /// Symbols of one name, and ranges of all names together.
  static let homonymLimit = 4096
  static let rangeLimit = 1 << 20

  /// The list with addresses for names. A name that the symbols do not have makes its entry name nothing, and is told there; without symbols it is an error.
  ///
  /// `name` is what the list is called in reports.
  public func resolved(name: String, symbols: GuestSymbols?) throws(AllowListError) -> AllowList {
    let extents = symbols?.table.extents(named: Set(entries.flatMap { [$0.instruction, $0.memory] }.compactMap(\.name?.symbol)), limit: Self.homonymLimit)
    var resolved: [AllowList.Entry] = []
    var ranges = 0
    for entry in entries {
      var unresolved: [String] = []
      func locate(_ operand: AllowListOperand, isMemory: Bool) throws(AllowListError) -> AllowList.Location {
        switch operand {
        case .anywhere: return .anywhere
        case .unknown: return .unknown
        case .addresses(let range): return .within([range])
        case .symbol(let name):
          guard let symbols, let extents else {
            throw AllowListError(
              line: entry.line, "'\(name.symbol)' is a name, and nothing says what it stands for", isForLackOfSymbols: true)
          }
          let found = (extents[name.symbol] ?? []).filter { name.module == nil || $0.module == name.module }.compactMap { Self.part(name.part, of: $0) }
          let places = isMemory ? found.flatMap(symbols.gpas) : found
          if places.isEmpty { unresolved.append(operand.text) }
          ranges += places.count
          return .within(places)
        }
      }
      let instruction = try locate(entry.instruction, isMemory: false)
      let memory = try locate(entry.memory, isMemory: true)
      guard ranges <= Self.rangeLimit else { throw AllowListError(line: entry.line, "the names up to here stand for more than \(Self.rangeLimit) ranges") }
      resolved.append(
        AllowList.Entry(rule: entry.rule, instruction: instruction, memory: memory, text: entry.text, line: entry.line, unresolved: unresolved))
    }
    return AllowList(name: name, entries: resolved)
  }

  /// The part of a symbol's bytes; nil where it has no such bytes.
  private static func part(_ part: ClosedRange<UInt64>?, of extent: SymbolTable.Extent) -> ClosedRange<UInt64>? {
    guard let part else { return extent.addresses }
    let (first, last) = (extent.addresses.lowerBound, extent.addresses.upperBound)
    guard part.upperBound <= last - first else { return nil }
    return first + part.lowerBound...first + part.upperBound
  }
}

extension AllowListOperand {
  var name: Name? { if case .symbol(let name) = self { name } else { nil } }
}
