public import Analyzer
public import Reports
public import Symbols
internal import TraceEvents

/// A verdict as a SARIF 2.1.0 log of one run, for code scanning and for editors.
///
/// A finding is a result; the events of its because chain are a code flow with one thread flow a vCPU. What is missing of the trace is no result: it is told as
/// notifications of the invocation.
public struct SARIFLog {
  /// The trace as a file.
  public struct Artifact {
    /// As the user named it; nil for standard input.
    public var path: String?
    /// In bytes.
    public var size: UInt64
    /// SHA-256 of the file, in hexadecimal.
    public var digest: String

    public init(path: String?, size: UInt64, digest: String) {
      self.path = path
      self.size = size
      self.digest = digest
    }
  }

  public var artifact: Artifact
  /// The tool's.
  public var version: String
  public var verdict: Verdict
  public var named: NamedEvents
  /// What is wrong with the file.
  public var damage: [String]
  /// Which bytes of the file hold an event, among others.
  public var bytes: (UInt64) -> Range<UInt64>?
  /// Of the guest: names beside addresses.
  public var symbols: GuestSymbols?

  /// `named` was shown the trace.
  public init(
    artifact: Artifact, version: String, verdict: Verdict, named: NamedEvents, damage: [String], bytes: @escaping (UInt64) -> Range<UInt64>?,
    symbols: GuestSymbols? = nil
  ) {
    self.artifact = artifact
    self.version = version
    self.verdict = verdict
    self.named = named
    self.damage = damage
    self.bytes = bytes
    self.symbols = symbols
  }

  /// The whole file.
  public var text: String { json.indentedText + "\n" }

  public var json: JSON {
    .object([
      ("$schema", .string("https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json")),
      ("version", .string("2.1.0")),
      ("runs", .array([run])),
    ])
  }

  private var run: JSON {
    .object([
      ("tool", .object([("driver", driver)])),
      ("automationDetails", .object([("id", .string("pagetape/\(category)/"))])),
      ("invocations", .array([invocation])),
      (
        "artifacts",
        .array([
          .object([
            ("location", location), ("length", .number(artifact.size)), ("roles", .array([.string("analysisTarget")])),
            ("mimeType", .string("application/zstd")), ("hashes", .object([("sha-256", .string(artifact.digest))])),
          ])
        ])
      ),
      ("columnKind", .string("utf16CodeUnits")),
      ("results", .array(verdict.findings.filter { $0.rule.severity != .loss }.map(result))),
      (
        "properties",
        .object([
          ("verdict", .string(verdict.outcome.rawValue)), ("events", .number(verdict.events)), ("lost", .number(verdict.lost)),
          ("undecided", .array(verdict.naming(symbols).undecided.map { .string($0) })),
        ])
      ),
    ])
  }

  // MARK: The trace

  /// Which of several logs of one commit this is: the trace's name.
  private var category: String {
    let name = artifact.path?.split(separator: "/").last.map(String.init) ?? "standard-input"
    return URIText.escaped(name.hasSuffix(".tape") ? String(name.dropLast(5)) : name, keeping: "")
  }

  private var location: JSON {
    guard let path = artifact.path else { return .object([("description", .object([("text", .string("standard input"))]))]) }
    return .object([("uri", .string(URIText.reference(toFile: path)))])
  }

  /// The same as part of a result.
  var artifactLocation: JSON {
    guard let path = artifact.path else { return .object([("index", .number(0))]) }
    return .object([("uri", .string(URIText.reference(toFile: path))), ("index", .number(0))])
  }

  // MARK: The run

  /// Whether something is missing.
  public var isIncomplete: Bool { !damage.isEmpty }

  private var invocation: JSON {
    let losses = verdict.findings.filter { $0.rule.severity == .loss }
    let notifications =
      losses.map { loss in
        notification("warning", loss.observed, [("descriptor", Self.descriptor(loss.rule)), ("locations", .array([place(loss.seq, vcpu: loss.vcpu)]))])
      } + damage.prefix(Self.damageTold).map { notification("warning", $0, [("descriptor", Self.descriptor(.traceDamaged))]) }
      + verdict.naming(symbols).undecided.map { notification("note", "Undecided: \($0)", []) }
    return .object([
      ("executionSuccessful", .bool(true)), ("exitCode", .number(isIncomplete ? 3 : 0)), ("toolExecutionNotifications", .array(notifications)),
    ])
  }

  /// Damaged places that are told one by one.
  private static let damageTold = 1000

  private func notification(_ level: String, _ text: String, _ more: [(key: String, value: JSON)]) -> JSON {
    .object([("level", .string(level)), ("message", .object([("text", .string(text))]))] + more)
  }
}
