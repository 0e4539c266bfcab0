import Foundation
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// The page as a file: what is in it, and what cannot be.
@Suite struct ReportPageTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  static func stored(_ name: String) -> String { Repository.root.appendingPathComponent("traces/\(name).tape").path }

  @Test(arguments: [("clean-integrity-2", 0), ("fault-stop-map-early", 1), ("damaged-flipped", 3), ("damaged-truncated", 3), ("format-1-clean-integrity-4", 0)])
  func exitStatusIsThatOfReplay(name: String, status: Int32) throws {
    let page = folder.file("\(name).html").path
    #expect(try Tool.run("replay", Self.stored(name)).status == status)
    #expect(try Tool.run("report", Self.stored(name), "-o", page).status == status)
    #expect(try String(contentsOfFile: page, encoding: .utf8).hasSuffix("</html>\n"))
  }

  @Test func thePageIsAFunctionOfTheTrace() throws {
    let first = try Tool.run("report", Self.stored("fault-stop-map-early"), "-o", "-")
    let second = try Tool.run("report", Self.stored("fault-stop-map-early"), "-o", "-")
    #expect(first.output == second.output && first.output.hasPrefix("<!DOCTYPE html>"))
  }

  @Test func nothingIsOverwrittenWithoutForce() throws {
    let page = folder.file("page.html")
    try "mine".write(to: page, atomically: true, encoding: .utf8)
    let refused = try Tool.run("report", Self.stored("clean-hello"), "-o", page.path)
    #expect(refused.status == 2 && refused.error.contains("--force"))
    #expect(try String(contentsOf: page, encoding: .utf8) == "mine")
    #expect(try Tool.run("report", Self.stored("clean-hello"), "-o", page.path, "--force").status == 0)
    #expect(try Tool.run("report", Self.stored("clean-hello"), "-o", folder.file("no/such/folder.html").path).status == 2)
    #expect(try Tool.run("report", folder.file("none.tape").path, "-o", folder.file("x.html").path).status == 2)
  }

  @Test func aFullDiskLeavesNoHalfPage() throws {
    let result = try Tool.run("report", Self.stored("clean-hello"), "-o", "/dev/full", "--force")
    #expect(result.status == 2 && result.error.contains("/dev/full: cannot write"))
    #expect(FileManager.default.fileExists(atPath: "/dev/full"))
  }

  @Test func nothingInThePageIsElsewhere() throws {
    let html = try Tool.run("report", Self.stored("fault-stop-map-early"), "-o", "-").output
    for word in ["http://", "https://", "src=", "@import", "url("] { #expect(!html.contains(word), "\(word)") }
    #expect(html.contains("default-src 'none'"))
    #expect(!html.contains("unsafe-inline"))
  }

  /// A trace whose every text tries to get out of where it is put.
  static func hostileTrace(in folder: Folder) throws -> URL {
    let file = folder.file("<img src=x onerror='hacked=1'>.tape")
    let attack = "</script><script>window.hacked=1</script><!--<script>\"'><img src=x onerror=\"window.hacked=1\">{{data}}{{script}}&lt;\u{2028}"
    var header = TraceHeader(
      vcpuCount: 1,
      properties: [.init("guest-name", attack), .init(attack, attack), .init("fault", attack), .init("command-line", attack), .init("__proto__", "x")])
    for index in header.kinds.indices where header.kinds[index].number == EventKind.console.rawValue { header.kinds[index].name = attack }
    let writer = try TraceWriter(path: file.path, header: header)
    for (index, event) in [
      Event(.sessionStart, vcpu: Event.host, a: 1), Event(.vcpuOnline, vcpu: 0), Event(.console, vcpu: 0, data: Array(attack.utf8)),
      Event(.stopAck, vcpu: 0, cause: 1, b: 1), Event(.console, vcpu: 0, data: Array(attack.utf8)),
      Event(.sessionEnd, vcpu: Event.host, a: 0, data: Array(attack.utf8)),
    ].enumerated() {
      var timed = event
      timed.time = UInt64(index) * 100
      _ = writer.append(timed: timed)
    }
    try writer.finish()
    return file
  }

  @Test func textsOfATraceStayTexts() throws {
    let html = try Tool.run("report", try Self.hostileTrace(in: folder).path, "-o", "-").output
    // The data, and the page's own script.
    #expect(html.components(separatedBy: "</script").count == 3)
    #expect(html.components(separatedBy: "<script").count == 3)
    #expect(!html.contains("<img"))
    #expect(!html.contains("<!--"))
  }

  @Test func aLargeTraceMakesASmallPage() throws {
    let tape = folder.file("large.tape").path
    #expect(try Tool.run("generate", "--events", "300000", "--vcpus", "64", "--seed", "5", "-o", tape).status == 0)
    let page = folder.file("large.html")
    #expect(try Tool.run("report", tape, "-o", page.path).status == 0)
    #expect(try Data(contentsOf: page).count < 1 << 20)
  }
}

/// Contrast of the page's colours (WCAG 2.2, 1.4.3 and 1.4.11), and modes told apart by those who do not see every colour.
struct PaletteTests {
  /// Name to colour, light and dark, as sRGB from 0 to 1.
  static let palettes: [[String: [Double]]] = {
    let style = Repository.files(under: "Sources/Analysis/ReportPage/Page", withExtension: "css").map(\.text).joined()
    var palettes: [[String: [Double]]] = [[:], [:]]
    for line in style.split(separator: "\n") {
      let parts = line.split(whereSeparator: { " :(),;".contains($0) }).map(String.init)
      guard parts.count == 4, parts[0].hasPrefix("--"), parts[1] == "light-dark" else { continue }
      for theme in 0..<2 {
        let hex = UInt32(parts[2 + theme].dropFirst(), radix: 16) ?? 0
        palettes[theme][String(parts[0].dropFirst(2))] = [16, 8, 0].map { Double(hex >> $0 & 255) / 255 }
      }
    }
    return palettes
  }()
  static let modes = ["normal", "integrity", "privileged", "stopped", "transit", "halted", "unknown"]

  private func linear(_ colour: [Double]) -> [Double] { colour.map { $0 <= 0.04045 ? $0 / 12.92 : pow(($0 + 0.055) / 1.055, 2.4) } }

  private func luminance(_ linear: [Double]) -> Double { 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] }

  private func contrast(_ theme: Int, _ one: String, _ other: String) throws -> Double {
    let values = try [one, other].map { luminance(linear(try #require(Self.palettes[theme][$0], "\($0)"))) }.sorted()
    return (values[1] + 0.05) / (values[0] + 0.05)
  }

  @Test(arguments: [0, 1])
  func textIsReadable(theme: Int) throws {
    var pairs = [
      ("ink", "page"), ("ink", "card"), ("ink", "faint"), ("ink", "bad-back"), ("ink", "caution-back"), ("soft", "page"), ("soft", "card"), ("soft", "faint"),
      ("soft", "bad-back"), ("good", "good-back"), ("bad", "bad-back"), ("bad", "card"), ("caution", "caution-back"), ("caution", "card"), ("accent", "card"),
      ("accent-ink", "accent"), ("finding-ink", "finding"),
    ]
    pairs += Self.modes.map { ("\($0)-ink", $0) }
    for (text, back) in pairs { #expect(try contrast(theme, text, back) >= 4.5, "\(text) on \(back)") }
  }

  @Test(arguments: [0, 1])
  func marksStandOut(theme: Int) throws {
    for mark in Self.modes + ["finding", "alert", "arrow", "accent", "offline"] {
      #expect(try contrast(theme, mark, "card") >= 3, "\(mark)")
    }
  }

  /// Machado, Oliveira, Fernandes (2009): protanopia, deuteranopia, tritanopia; and full sight.
  private static let sights: [[[Double]]] = [
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
  ]

  private func lab(_ linear: [Double]) -> [Double] {
    let colour = linear.map { max(0, $0) }
    let white = [0.9505, 1, 1.089]
    let rows = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    let parts = zip(rows, white).map { row, white in
      let value = zip(row, colour).reduce(0) { $0 + $1.0 * $1.1 } / white
      return value > 0.008856 ? cbrt(value) : 7.787 * value + 16.0 / 116
    }
    return [116 * parts[1] - 16, 500 * (parts[0] - parts[1]), 200 * (parts[1] - parts[2])]
  }

  @Test(arguments: [0, 1])
  func modesDifferForEverySight(theme: Int) throws {
    for (index, sight) in Self.sights.enumerated() {
      let seen = try Self.modes.map { mode in
        let colour = linear(try #require(Self.palettes[theme][mode]))
        return lab(sight.map { row in zip(row, colour).reduce(0) { $0 + $1.0 * $1.1 } })
      }
      for one in seen.indices {
        for other in seen.indices where other > one {
          let distance = zip(seen[one], seen[other]).reduce(0) { $0 + pow($1.0 - $1.1, 2) }.squareRoot()
          #expect(distance >= 18, "\(Self.modes[one]) and \(Self.modes[other]), sight \(index)")
        }
      }
    }
  }
}
