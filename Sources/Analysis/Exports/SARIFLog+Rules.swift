internal import Analyzer
internal import Reports

extension SARIFLog {
  /// Every rule that can be broken, and every way in which a trace can be incomplete: each has its index in its list.
  private static let rules = Rule.allCases.filter { $0.severity != .loss }
  private static let losses = Rule.allCases.filter { $0.severity == .loss }
  private static let indices = Dictionary(uniqueKeysWithValues: rules.enumerated().map { ($1, $0) } + losses.enumerated().map { ($1, $0) })

  /// Of the rule in its list.
  static func index(_ rule: Rule) -> JSON { .number(UInt64(indices[rule] ?? 0)) }

  static func descriptor(_ rule: Rule) -> JSON { .object([("id", .string(rule.name)), ("index", index(rule))]) }

  static func level(_ severity: Severity) -> String { severity == .violation ? "error" : "warning" }

  var driver: JSON {
    .object([
      ("name", .string("pagetape")), ("version", .string(version)), ("semanticVersion", .string(version)),
      ("rules", .array(Self.rules.map(Self.description))), ("notifications", .array(Self.losses.map(Self.description))),
    ])
  }

  private static func description(_ rule: Rule) -> JSON {
    let (statement, background) = (rule.statement, background(rule))
    let steps = [
      ("pagetape replay --rule \(rule.name) FILE", "tells the finding with the events that make it one"),
      ("pagetape replay --at EVENT FILE", "shows the machine there"),
      ("pagetape minimize --rule \(rule.name) FILE -o SMALL", "keeps only the events that show it"),
    ]
    let text = "\(statement)\(background)\nTo look closer: " + steps.map { "'\($0)' \($1)" }.joined(separator: "; ") + "."
    let markdown = "**\(statement)**\(background)\n\nTo look closer:\n\n" + steps.map { "- `\($0)` \($1)\n" }.joined()
    return .object([
      ("id", .string(rule.name)),
      ("name", .string(name(rule))),
      ("shortDescription", .object([("text", .string(statement))])),
      ("fullDescription", .object([("text", .string(statement + background))])),
      ("defaultConfiguration", .object([("level", .string(level(rule.severity)))])),
      ("help", .object([("text", .string(text)), ("markdown", .string(markdown))])),
      ("properties", .object([("tags", .array([.string("hypervisor"), .string(String(rule.group))]))])),
    ])
  }

  /// `StopRegionExposed` of `stop/region-exposed`.
  private static func name(_ rule: Rule) -> String {
    rule.name.split { $0 == "/" || $0 == "-" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// What a reader has to know of the mechanism; with a space in front, or empty.
  private static func background(_ rule: Rule) -> String {
    switch rule.group {
    case "tree":
      " The pages that are protected are kept in a tree in guest memory. Every page that stores a node and every page that a mapping names carries a write "
        + "trace: a write to it traps, and the tree decides what becomes of it."
    case "alert":
      " A write to a protected page raises an alert, whose action says what becomes of it: notify lets it through, deny drops it, suspend and terminate end "
        + "the run. What the hypervisor did is compared with what the replayed tree calls for."
    case "integrity":
      " Protection is changed by the driver alone, in integrity mode: an elevated mode of one vCPU that is entered from one registered address, and in which "
        + "no interrupt is delivered."
    case "stop":
      " While a vCPU is in the privileged mode its memory region is in the view of all; so every other vCPU is stopped before the region is added, and resumed "
        + "after it is removed."
    case "race":
      " Two events are ordered where one waited for the other. Accesses that nothing orders may happen the other way round in the next run, even where all "
        + "went well in this one."
    case "trace": " Across what is missing no rule is known to hold."
    default: ""
    }
  }
}
