/// Breaches that are expected: of which rule, by which instruction, of what memory.
///
/// A breach that an entry names is no finding and leaves the verdict alone: it is counted. What is missing of a trace (`Severity.loss`) is no breach, and
/// no entry names it.
public struct AllowList: Sendable {
  /// Where an instruction or its operand is.
  public enum Location: Hashable, Sendable {
    /// Anywhere, and where nobody knows.
    case anywhere
    /// Where the trace does not say.
    case unknown
    /// In one of these ranges; in none of none.
    case within([ClosedRange<UInt64>])

    func holds(_ address: UInt64?) -> Bool {
      switch self {
      case .anywhere: true
      case .unknown: address == nil
      case .within(let ranges): address.map { address in ranges.contains { $0.contains(address) } } ?? false
      }
    }
  }

  /// Names breaches.
  public struct Entry: Hashable, Sendable {
    public var rule: RuleGlob
    /// Linear addresses. Of a race it is enough that one of the two accesses is made there.
    public var instruction: Location
    /// Guest-physical addresses.
    public var memory: Location
    /// As a user wrote it, and in which line; for reports.
    public var text: String
    public var line: Int
    /// Names in it that stand for no address: it names no breach, and is no stale entry either.
    public var unresolved: [String]

    public init(rule: RuleGlob, instruction: Location, memory: Location, text: String = "", line: Int = 0, unresolved: [String] = []) {
      self.rule = rule
      self.instruction = instruction
      self.memory = memory
      self.text = text
      self.line = line
      self.unresolved = unresolved
    }

    /// Whether it names the breaches of this place.
    public func names(_ place: BreachTally.Place) -> Bool { rule.matches(place.rule) && holds(place) }

    /// The same, its rule left aside.
    func holds(_ place: BreachTally.Place) -> Bool {
      place.rule.severity != .loss && memory.holds(place.gpa) && (instruction.holds(place.rip) || place.otherRIP != nil && instruction.holds(place.otherRIP))
    }
  }

  /// What it is called in reports.
  public let name: String
  public let entries: [Entry]

  public init(name: String, entries: [Entry]) {
    self.name = name
    self.entries = entries
  }
}

/// The entries of a list that may name breaches of one rule, by the ranges that they have.
struct AllowIndex: Sendable {
  private var byMemory: IntervalIndex
  /// Those that any memory will do for, or that is not known.
  private var byInstruction: IntervalIndex
  /// Those without any range.
  private var others: [Int32] = []

  init(_ list: AllowList, _ rule: Rule) {
    var (memory, instructions): ([IntervalIndex.Item], [IntervalIndex.Item]) = ([], [])
    for (index, entry) in list.entries.enumerated() where entry.rule.matches(rule) {
      let owner = Int32(index)
      if case .within(let ranges) = entry.memory {
        memory += ranges.map { IntervalIndex.Item(low: $0.lowerBound, high: $0.upperBound, owner: owner) }
      } else if case .within(let ranges) = entry.instruction {
        instructions += ranges.map { IntervalIndex.Item(low: $0.lowerBound, high: $0.upperBound, owner: owner) }
      } else {
        others.append(owner)
      }
    }
    byMemory = IntervalIndex(memory)
    byInstruction = IntervalIndex(instructions)
  }

  /// Shows each entry that may name the place; some of them twice.
  func visit(_ place: BreachTally.Place, _ body: (Int) -> Void) {
    for owner in others { body(Int(owner)) }
    if let gpa = place.gpa { byMemory.visit(gpa, body) }
    if let rip = place.rip { byInstruction.visit(rip, body) }
    if let rip = place.otherRIP { byInstruction.visit(rip, body) }
  }
}

/// Ranges that may overlap, and which of them hold an address.
struct IntervalIndex: Sendable {
  struct Item: Sendable {
    var low: UInt64
    /// Inclusive.
    var high: UInt64
    var owner: Int32
  }

  /// By where they begin.
  private let items: [Item]
  /// How far the items up to this one reach.
  private var reach: [UInt64] = []

  init(_ unordered: [Item]) {
    items = unordered.sorted { ($0.low, $0.high, $0.owner) < ($1.low, $1.high, $1.owner) }
    reach.reserveCapacity(items.count)
    for item in items { reach.append(max(item.high, reach.last ?? 0)) }
  }

  func visit(_ address: UInt64, _ body: (Int) -> Void) {
    var (low, high) = (0, items.count)
    while low < high {
      let middle = (low + high) / 2
      if items[middle].low <= address { low = middle + 1 } else { high = middle }
    }
    while low > 0, reach[low - 1] >= address {
      low -= 1
      if items[low].high >= address { body(Int(items[low].owner)) }
    }
  }
}
