public import Analyzer
internal import Digests
public import Inspection
public import Reports
public import Symbols
public import Timeline

/// A trace and what is said of it as one HTML page that needs nothing else: no network, no other file.
///
/// The page is a template, a style sheet and scripts that are the same for every trace, and the trace's data as JSON. All that a stranger's trace says is in
/// the data, and the scripts put it in the page as text; a content security policy lets nothing else run.
public struct ReportPage {
  /// Of the trace, as the user named it.
  public var name: String
  /// The tool and its version.
  public var producer: String
  public var summary: TraceSummary
  public var verdict: Verdict
  /// Finished, and watching what `Verdict.watch` says.
  public var timeline: Timeline
  /// The machine right after findings, and at the end.
  public var snapshots: [MachineSnapshot]
  /// Of the guest: names beside addresses.
  public var symbols: GuestSymbols?

  public init(
    name: String, producer: String, summary: TraceSummary, verdict: Verdict, timeline: Timeline, snapshots: [MachineSnapshot],
    symbols: GuestSymbols? = nil
  ) {
    self.name = name
    self.producer = producer
    self.summary = summary
    self.verdict = verdict
    self.timeline = timeline
    self.snapshots = snapshots
    self.symbols = symbols
  }

  /// The scripts, in the order in which they use each other.
  private static let scripts: [[UInt8]] = [
    PackageResources.data_js, PackageResources.dom_js, PackageResources.lanes_js, PackageResources.painter_js, PackageResources.view_js,
    PackageResources.drawing_js, PackageResources.timeline_js, PackageResources.findings_js, PackageResources.machine_js, PackageResources.heat_js,
    PackageResources.facts_js, PackageResources.main_js,
  ]

  /// The whole page.
  public var html: String {
    let style = String(decoding: PackageResources.page_css, as: UTF8.self)
    let script = "\"use strict\";\n(() => {\n" + Self.scripts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n") + "})();\n"
    let parts = [
      "policy": "default-src 'none'; script-src 'sha256-\(Self.hash(script))'; style-src 'sha256-\(Self.hash(style))'; base-uri 'none'; form-action 'none'",
      "style": style,
      "script": script,
      "text": Markup.escaped(verdict.text(name: name, style: .plain, symbols: symbols)),
      "data": Self.embedded(data.text),
    ]
    return Self.fill(String(decoding: PackageResources.page_html, as: UTF8.self), parts)
  }

  private static func hash(_ text: String) -> String {
    Base64.text(SHA256.digest(Array(text.utf8)).flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) } })
  }

  /// Puts parts where the template says `{{name}}`. What is put in is not looked at again.
  private static func fill(_ template: String, _ parts: [String: String]) -> String {
    var page = ""
    for (index, piece) in template.split(separator: "{{", omittingEmptySubsequences: false).enumerated() {
      guard index > 0, let end = piece.firstRange(of: "}}") else {
        page += piece
        continue
      }
      page += parts[String(piece[..<end.lowerBound])] ?? ""
      page += piece[end.upperBound...]
    }
    return page
  }

  /// JSON as the contents of a script element: no `</script` and no `<!--` can be in it.
  static func embedded(_ json: String) -> String {
    var out: [UInt8] = []
    out.reserveCapacity(json.utf8.count)
    for byte in json.utf8 {
      if byte == UInt8(ascii: "<") { out += "\\u003c".utf8 } else { out.append(byte) }
    }
    return String(decoding: out, as: UTF8.self)
  }
}

extension Verdict {
  /// The events that the findings speak of.
  public var watch: EventWatch {
    EventWatch(centres: findings.map(\.seq).filter { $0 > 0 }, others: findings.flatMap(\.namedEvents).filter { $0 > 0 })
  }
}
