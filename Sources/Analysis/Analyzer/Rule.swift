/// A rule that a trace either keeps or breaks.
///
/// The built-in ones are static members; `allCases` lists them. A rule of a user's own is made from a name, and decided by a `RuleJudge`.
public struct Rule: Hashable, Sendable, BitwiseCopyable {
  /// Judges keep rules by the thousand and compare them often: a rule is a number, and its words are elsewhere.
  private enum Identity: Hashable, BitwiseCopyable {
    case builtIn(BuiltIn)
    /// Its place in `OwnRules`.
    case own(UInt32)
  }

  private let identity: Identity

  init(_ rule: BuiltIn) { identity = .builtIn(rule) }

  /// A rule of a user's own, as in `acme/no-write-in-reset`. The same words make the same rule.
  ///
  /// Group and name are small Latin letters, digits and hyphens, beginning with a letter. The group must not be one of the built-in rules', and the
  /// severity is a violation or a warning: `.loss` is what a trace has, not what a machine did. The words are kept for as long as the process runs.
  public init(_ name: String, severity: Severity = .violation, statement: String) throws(RuleError) {
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard name.utf8.count <= Self.nameLimit, parts.count == 2, parts.allSatisfy(Self.isWord) else { throw RuleError(.badName, name) }
    if Self.builtInGroups.contains(Substring(parts[0])) { throw RuleError(.reservedGroup, name) }
    guard severity != .loss else { throw RuleError(.badSeverity, name) }
    identity = .own(OwnRules.number(of: OwnRules.Words(name: name, severity: severity, statement: statement)))
  }

  /// What users see and type: `group/name`. Stable once released.
  public var name: String {
    switch identity {
    case .builtIn(let rule): rule.rawValue
    case .own(let number): OwnRules.words(of: number).name
    }
  }

  public var severity: Severity {
    switch identity {
    case .builtIn(.treeOverTrace): .warning
    case .builtIn(.traceLost), .builtIn(.traceDamaged): .loss
    case .builtIn: .violation
    case .own(let number): OwnRules.words(of: number).severity
    }
  }

  /// What holds while the rule is kept, in one sentence.
  public var statement: String {
    switch identity {
    case .builtIn(let rule): rule.statement
    case .own(let number): OwnRules.words(of: number).statement
    }
  }

  /// Whether the analyzer decides the rule by itself.
  public var isBuiltIn: Bool { if case .builtIn = identity { true } else { false } }

  /// Bytes of a name.
  static let nameLimit = 80

  private static func isWord(_ word: Substring.UTF8View) -> Bool {
    guard let first = word.first, isLetter(first) else { return false }
    return word.allSatisfy { isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-") }
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

  /// The part before the slash.
  public var group: Substring { name.prefix { $0 != "/" } }
}

extension Rule: CustomStringConvertible {
  public var description: String { name }
}

/// How bad a finding is.
public enum Severity: String, Sendable {
  /// A mechanism did not hold. The verdict is `violated`.
  case violation
  /// Cost without protection, or the like. The verdict stays what it is.
  case warning
  /// The trace has a hole: not the recorded machine's fault, but no rule holds across it. The verdict is `incomplete`, unless a rule was
  /// broken besides.
  case loss
}
