public import Analyzer

/// An allow-list as it is written: its entries, and the comments that explain them.
///
/// A line is an entry: a rule, or a pattern that rules match; the instruction that breaks it; the memory that it is broken at; and behind `#` a comment.
/// Instruction and memory are a symbol, addresses, `*` for any, or `-` where the trace does not say.
public struct AllowListText: Sendable {
  public struct Entry: Sendable {
    public var rule: RuleGlob
    public var instruction: AllowListOperand
    public var memory: AllowListOperand
    /// Lines above it, and what stands behind it, without `#`.
    public var comments: [String] = []
    public var comment: String?
    /// From 1; 0 for one that was not read.
    public var line = 0

    public init(rule: RuleGlob, instruction: AllowListOperand, memory: AllowListOperand) {
      self.rule = rule
      self.instruction = instruction
      self.memory = memory
    }

    /// Without its comments.
    public var text: String { "\(rule.pattern)  \(instruction.text)  \(memory.text)" }
  }

  public static let entryLimit = 1 << 17
  /// In bytes: of a list, and of a line.
  public static let sizeLimit = 1 << 24
  static let lineLimit = 4096

  /// Comments before the first entry, up to an empty line.
  public var heading: [String] = []
  public var entries: [Entry] = []
  /// Comments behind the last entry.
  public var ending: [String] = []

  /// An empty list.
  public init() {}

  /// Reads one. A rule that matches none of `rules` is a mistake.
  public init(parsing bytes: some Collection<UInt8>, rules: [Rule] = Rule.allCases) throws(AllowListError) {
    guard bytes.count <= Self.sizeLimit else { throw AllowListError(line: nil, "expected at most \(Self.sizeLimit) bytes, found \(bytes.count)") }
    var comments: [String] = []
    var number = 0
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    for line in lines {
      number += 1
      guard line.count <= Self.lineLimit else { throw AllowListError(line: number, "expected at most \(Self.lineLimit) bytes in a line, found \(line.count)") }
      guard var text = String(validating: line, as: UTF8.self) else { throw AllowListError(line: number, "expected UTF-8") }
      // A checkout may have made the line end one of another system.
      if text.unicodeScalars.last == "\r" { text.unicodeScalars.removeLast() }
      guard !text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\t" || (0x7f..<0xa0).contains($0.value) }) else {
        throw AllowListError(line: number, "expected text, found a control character")
      }
      let words = try AllowListLine(text, number: number)
      guard !words.fields.isEmpty else {
        if let comment = words.comment { comments.append(comment) } else if entries.isEmpty, heading.isEmpty { (heading, comments) = (comments, []) }
        continue
      }
      guard entries.count < Self.entryLimit else { throw AllowListError(line: number, "expected at most \(Self.entryLimit) entries") }
      var entry = try words.entry(rules: rules)
      (entry.comments, entry.comment) = (comments, words.comment)
      entry.line = number
      comments = []
      entries.append(entry)
    }
    ending = comments
  }
}

/// A line cut into words.
struct AllowListLine {
  private(set) var fields: [AllowListField] = []
  private(set) var comment: String?
  private let number: Int

  init(_ text: String, number: Int) throws(AllowListError) {
    self.number = number
    var rest = text[...]
    while true {
      rest = rest.drop { $0 == " " || $0 == "\t" }
      guard let first = rest.first else { return }
      if first == "#" {
        let text = rest.dropFirst()
        comment = String(text.first == " " ? text.dropFirst() : text)
        return
      }
      let isQuoted = first == "\""
      var field = AllowListField(text: "", isQuoted: isQuoted)
      if isQuoted {
        rest = rest.dropFirst()
        guard let end = rest.firstIndex(of: "\"") else { throw AllowListError(line: number, "expected a closing quote") }
        field.text = String(rest[..<end])
        rest = rest[end...].dropFirst()
      }
      let word = rest.prefix { $0 != " " && $0 != "\t" && $0 != "#" }
      rest = rest.dropFirst(word.count)
      if isQuoted { field.suffix = String(word) } else { field.text = String(word) }
      fields.append(field)
    }
  }

  func entry(rules: [Rule]) throws(AllowListError) -> AllowListText.Entry {
    guard fields.count == 3 else {
      let form = "expected a rule, an instruction and memory, as in 'tree/protected-write text_poke_early do_syscall_64'"
      throw error("\(form), found \(fields.count) word\(fields.count == 1 ? "" : "s")")
    }
    let rule = RuleGlob(fields[0].text)
    let named = rules.filter(rule.matches)
    if named.isEmpty || fields[0].isQuoted {
      throw AllowListError(line: number, "expected a rule, or a pattern that rules match, found '\(fields[0].text)'", unknownRule: fields[0].text)
    }
    guard named.contains(where: { $0.severity != .loss }) else {
      throw error("'\(fields[0].text)' cannot be expected: what a trace has lost breaks no rule of the machine, and no rule is judged across the hole")
    }
    let instruction = try operand(fields[1], "an instruction", "0xffffffff81000000+0x20")
    let memory = try operand(fields[2], "memory", "0x1000000+0x1000")
    if case .addresses(let range) = memory, range.upperBound >= 1 << 52 {
      throw error("expected guest-physical memory, which ends at 2^52, found \(fields[2].text)")
    }
    return AllowListText.Entry(rule: rule, instruction: instruction, memory: memory)
  }

  private func operand(_ field: AllowListField, _ what: String, _ example: String) throws(AllowListError) -> AllowListOperand {
    guard let operand = AllowListOperand(field) else {
      let found = field.isQuoted ? "\"\(field.text)\"\(field.suffix)" : field.text
      throw error("expected \(what): a symbol, as in name or name+0x10+8, addresses, as in \(example), * for any, or - for unknown; found '\(found)'")
    }
    return operand
  }

  private func error(_ detail: String) -> AllowListError { AllowListError(line: number, detail) }
}
