public import Analyzer
public import Symbols

extension AllowListText {
  /// The list with an entry for each breach of the tally that it does not name yet: one for each rule, function that breaks it and object that it is broken
  /// at. What has no name is an instruction's address, and the page of memory.
  ///
  /// Sorted by rule, instruction and memory. Comments stay, but for the counts, which are new: how many breaches of this tally an entry names. The tally is
  /// one that was made with this list, if it has entries. With `rules` only their breaches are added.
  public func adding(_ whole: BreachTally, of rules: RuleGlob? = nil, symbols: GuestSymbols?) -> AllowListText {
    var list = self
    for (index, times) in whole.timesByEntry.enumerated() where index < list.entries.count { list.entries[index].count(times) }
    let tally = rules.map(whole.restricted) ?? whole
    var new = Self.found(in: tally, symbols)
    let known = Set(entries.map(\.text))
    new.removeAll { known.contains($0.text) }
    let room = max(0, Self.entryLimit - list.entries.count)
    list.ending.removeAll { $0.hasPrefix(Self.omission) }
    list.ending += Self.omissions(of: tally, beyond: new.dropFirst(room).count)
    list.entries = (list.entries + new.prefix(room)).sorted { $0.order < $1.order }
    if list.heading.isEmpty { list.heading = Self.standardHeading }
    return list
  }

  private static let standardHeading = [
    "Breaches that are expected, one a line: the rule, the instruction that breaks it, the memory that it is broken at.",
    "Each of the two is a symbol, addresses, * for any, or - where the trace does not say. The counts are those of when this was written.",
  ]

  private static let omission = "Not listed: "

  /// What a list that reads well cannot say, or has no room for.
  private static func omissions(of tally: BreachTally, beyond: Int) -> [String] {
    var nowhere: [Rule: UInt64] = [:]
    for (place, count) in tally.counts where place.isNowhere && !count.isExpected { nowhere[place.rule, default: 0] += count.times }
    let byName = { (counts: [Rule: UInt64]) in counts.sorted { $0.key.name < $1.key.name } }
    var lines = byName(nowhere).map { "\(omission)\(times($0.value)) \($0.key.name), by no instruction and at no address that the trace knows." }
    lines += byName(tally.unexpectedBeyond).map { "\(omission)\(times($0.value)) \($0.key.name), in places beyond the first \(BreachTally.limit)." }
    if beyond > 0 { lines.append("\(omission)\(beyond) more entr\(beyond == 1 ? "y" : "ies"); a list has \(entryLimit) at most.") }
    return lines
  }

  /// What is in none of the entries, in sentences.
  public var omissions: [String] { ending.filter { $0.hasPrefix(Self.omission) } }

  private struct Key: Hashable {
    var rule: Rule
    var instruction: AllowListOperand
    var memory: AllowListOperand
  }

  private static func found(in tally: BreachTally, _ symbols: GuestSymbols?) -> [Entry] {
    let places = tally.counts.filter { !$0.value.isExpected && !$0.key.isNowhere }
    var names = PlaceNames(symbols)
    for place in places.keys { names.note(place) }
    names.check()
    var counts: [Key: UInt64] = [:]
    for (place, count) in places {
      counts[Key(rule: place.rule, instruction: names.instruction(place), memory: names.memory(place)), default: 0] += count.times
    }
    return counts.map { key, times in
      var entry = Entry(rule: RuleGlob(key.rule.name), instruction: key.instruction, memory: key.memory)
      entry.count(times)
      return entry
    }.sorted { $0.order < $1.order }
  }

  fileprivate static func times(_ count: UInt64) -> String { count == 1 ? "once" : "\(count) times" }
}

extension AllowListText.Entry {
  fileprivate var order: (String, String, String) { (rule.pattern, instruction.text, memory.text) }

  /// Notes how often, unless somebody wrote something else there.
  fileprivate mutating func count(_ times: UInt64) {
    if comment.map(Self.isCount) ?? true { comment = AllowListText.times(times) }
  }

  private static func isCount(_ comment: String) -> Bool {
    comment == "once" || comment.hasSuffix(" times") && comment.dropLast(6).utf8.allSatisfy { (0x30...0x39).contains($0) }
  }
}

/// The names of places, as far as a list that has them leads back to where they are.
private struct PlaceNames {
  private let symbols: GuestSymbols?
  private var wanted: Set<String> = []
  private var extents: [String: [SymbolTable.Extent]] = [:]

  init(_ symbols: GuestSymbols?) { self.symbols = symbols }

  private func instructionPlace(_ place: BreachTally.Place) -> SymbolTable.Place? { (place.rip ?? place.otherRIP).flatMap { symbols?.place(rip: $0) } }
  private func memoryPlace(_ place: BreachTally.Place) -> SymbolTable.Place? { place.gpa.flatMap { symbols?.place(gpa: $0) } }

  mutating func note(_ place: BreachTally.Place) {
    for found in [instructionPlace(place), memoryPlace(place)].compactMap(\.self) { wanted.insert(found.symbol) }
  }

  /// Looks all of them up at once.
  mutating func check() { extents = symbols?.table.extents(named: wanted, limit: AllowListText.homonymLimit) ?? [:] }

  func instruction(_ place: BreachTally.Place) -> AllowListOperand {
    guard let rip = place.rip ?? place.otherRIP else { return .unknown }
    return name(instructionPlace(place)) { $0.contains(rip) } ?? .addresses(rip...rip)
  }

  /// Of memory without a name the page.
  func memory(_ place: BreachTally.Place) -> AllowListOperand {
    guard let gpa = place.gpa else { return .unknown }
    let page = gpa & ~4095
    return name(memoryPlace(place)) { symbols?.gpas(of: $0).contains { $0.contains(gpa) } == true } ?? .addresses(page...page + 4095)
  }

  private func name(_ place: SymbolTable.Place?, where holds: (ClosedRange<UInt64>) -> Bool) -> AllowListOperand? {
    guard let place, AllowListOperand.canName(place.symbol, place.module) else { return nil }
    guard extents[place.symbol]?.contains(where: { $0.module == place.module && holds($0.addresses) }) == true else { return nil }
    return .symbol(AllowListOperand.Name(symbol: place.symbol, module: place.module))
  }
}

extension AllowListText: CustomStringConvertible {
  /// The text of a list: read again, it is the same list.
  public var description: String {
    var lines = heading.map(Self.commented)
    if !lines.isEmpty, !entries.isEmpty || !ending.isEmpty { lines.append("") }
    func width(_ text: (Entry) -> String) -> Int { min(Self.widest, entries.map { text($0).count }.max() ?? 0) }
    let columns = (width(\.rule.pattern), width(\.instruction.text), width(\.memory.text))
    for entry in entries {
      lines += entry.comments.map(Self.commented)
      var line = Self.padded(entry.rule.pattern, columns.0) + "  " + Self.padded(entry.instruction.text, columns.1) + "  "
      line += entry.comment.map { Self.padded(entry.memory.text, columns.2) + "  " + Self.commented($0) } ?? entry.memory.text
      lines.append(line)
    }
    if !ending.isEmpty, !entries.isEmpty { lines.append("") }
    return (lines + ending.map(Self.commented)).map { $0 + "\n" }.joined()
  }

  /// A column is no wider; long names push out what is behind them.
  private static let widest = 40

  private static func commented(_ text: String) -> String { text.isEmpty ? "#" : "# " + text }

  private static func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
}
