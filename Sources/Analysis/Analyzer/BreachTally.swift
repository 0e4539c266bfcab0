/// Where rules broke: by rule, instruction and address how often, and what of it an allow-list expects.
///
/// Bounded: of the places beyond `limit` breaches are counted by their rule alone. They are judged like all others.
public struct BreachTally: Sendable {
  /// Breaches alike in what an allow-list can tell apart.
  public struct Place: Hashable, Sendable {
    public var rule: Rule
    /// The instruction, a linear address; nil where the trace does not say.
    public var rip: UInt64?
    /// Of a race, or a breach foretold: an instruction that it may be named by as well.
    public var otherRIP: UInt64?
    public var gpa: UInt64?

    public init(rule: Rule, rip: UInt64?, otherRIP: UInt64? = nil, gpa: UInt64?) {
      self.rule = rule
      self.rip = rip
      self.otherRIP = otherRIP
      self.gpa = gpa
    }

    /// No allow-list can name it by anything but its rule.
    public var isNowhere: Bool { rip == nil && otherRIP == nil && gpa == nil }
  }

  public struct Count: Hashable, Sendable {
    public var times: UInt64
    /// Some entry of the allow-list names it.
    public var isExpected: Bool
  }

  /// Breaches of one rule that were expected.
  public struct Expected: Hashable, Sendable {
    public var rule: Rule
    public var times: UInt64
    public var places: UInt64
    /// There were more places, that were not kept apart.
    public var isCut: Bool
  }

  public static let limit = 1 << 18

  public let allowList: AllowList?
  public private(set) var counts: [Place: Count] = [:]
  /// Breaches in places that there was no room for.
  public private(set) var expectedBeyond: [Rule: UInt64] = [:]
  public private(set) var unexpectedBeyond: [Rule: UInt64] = [:]
  /// By entry of the allow-list: it named a breach.
  private var isUsed: [Bool]
  private var indexes: [Rule: AllowIndex] = [:]

  /// An empty one: what the list names will be expected.
  public init(allowing allowList: AllowList? = nil) {
    self.allowList = allowList
    isUsed = Array(repeating: false, count: allowList?.entries.count ?? 0)
  }

  /// Whether the allow-list names it.
  mutating func expects(_ place: Place) -> Bool {
    if let known = counts[place] { return known.isExpected }
    return !entries(naming: place).isEmpty
  }

  private mutating func entries(naming place: Place) -> [Int] {
    guard let allowList, place.rule.severity != .loss else { return [] }
    if indexes[place.rule] == nil { indexes[place.rule] = AllowIndex(allowList, place.rule) }
    var found: [Int] = []
    indexes[place.rule]?.visit(place) { if allowList.entries[$0].holds(place) { found.append($0) } }
    return found
  }

  /// Counts a breach, and says whether it was expected.
  mutating func take(_ place: Place) -> Bool {
    if place.rule.severity == .loss { return false }
    if let known = counts.index(forKey: place) {
      counts.values[known].times += 1
      return counts.values[known].isExpected
    }
    let named = entries(naming: place)
    for entry in named { isUsed[entry] = true }
    add(place, Count(times: 1, isExpected: !named.isEmpty))
    return !named.isEmpty
  }

  private mutating func add(_ place: Place, _ count: Count) {
    if counts.count < Self.limit || counts[place] != nil {
      counts[place, default: Count(times: 0, isExpected: count.isExpected)].times += count.times
    } else if count.isExpected {
      expectedBeyond[place.rule, default: 0] += count.times
    } else {
      unexpectedBeyond[place.rule, default: 0] += count.times
    }
  }

  /// Takes in what was found of the same trace by other eyes, with the same list.
  mutating func merge(_ other: BreachTally?) {
    guard let other else { return }
    for (place, count) in other.counts { add(place, count) }
    expectedBeyond.merge(other.expectedBeyond, uniquingKeysWith: +)
    unexpectedBeyond.merge(other.unexpectedBeyond, uniquingKeysWith: +)
    indexes.merge(other.indexes) { mine, _ in mine }
    for (index, isUsed) in other.isUsed.enumerated() where isUsed && index < self.isUsed.count { self.isUsed[index] = true }
  }

  /// What concerns these rules alone.
  public func restricted(to glob: RuleGlob) -> BreachTally {
    var part = self
    part.counts = counts.filter { glob.matches($0.key.rule) }
    part.expectedBeyond = expectedBeyond.filter { glob.matches($0.key) }
    part.unexpectedBeyond = unexpectedBeyond.filter { glob.matches($0.key) }
    return part
  }
}

extension BreachTally {
  /// By the rules' names.
  public var expected: [Expected] {
    var found: [Rule: Expected] = [:]
    for (place, count) in counts where count.isExpected {
      found[place.rule, default: Expected(rule: place.rule, times: 0, places: 0, isCut: false)].times += count.times
      found[place.rule]?.places += 1
    }
    for (rule, times) in expectedBeyond {
      found[rule, default: Expected(rule: rule, times: 0, places: 0, isCut: true)].times += times
      found[rule]?.isCut = true
    }
    return found.values.sorted { $0.rule.name < $1.rule.name }
  }

  /// Entries of the allow-list that named no breach, though all their names are known: what they expect does not happen any more.
  public var staleEntries: [AllowList.Entry] {
    guard let allowList else { return [] }
    return zip(allowList.entries, isUsed).filter { !$1 && $0.unresolved.isEmpty }.map(\.0)
  }

  /// By entry of the allow-list: how many breaches it names, of those whose places were kept apart. Several entries may name one breach.
  public var timesByEntry: [UInt64] {
    guard let allowList else { return [] }
    var times = Array(repeating: UInt64(0), count: allowList.entries.count)
    for (place, count) in counts where count.isExpected {
      var named: Set<Int> = []
      indexes[place.rule]?.visit(place) { if allowList.entries[$0].holds(place) { named.insert($0) } }
      for entry in named { times[entry] += count.times }
    }
    return times
  }

  /// Entries that name nothing that is known.
  public var unresolvedEntries: [AllowList.Entry] { allowList?.entries.filter { !$0.unresolved.isEmpty } ?? [] }
}
