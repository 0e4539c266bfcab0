import Foundation
import Testing

/// The manual pages that `tools/manual` makes.
struct ManualTests {
  private static func find(_ names: [String]) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return names.flatMap { name in folders.map { "\($0)/\(name)" } }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  private static let python = find(["python3"])
  /// Whatever of these is installed reads the pages and says what is wrong with them.
  private static let reader = find(["mandoc", "groff"])

  private static func pages() throws -> Folder {
    let folder = try Folder()
    let made = try Tool.run([Repository.root.appendingPathComponent("tools/manual").path, folder.url.path, Tool.path], path: "/bin/bash")
    #expect(made.status == 0 && made.output.isEmpty && made.error.isEmpty, "\(made)")
    return folder
  }

  @Test(.enabled(if: python != nil, "python3 is not installed: no manual pages are made")) func everyVerbHasAPageWithItsExitStatus() throws {
    let folder = try Self.pages()
    let verbs = try CommandLineTests.verbs()
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(Set(names) == Set(verbs.map { "pagetape-\($0.commandName).1" } + ["pagetape.1"]))
    for verb in verbs {
      let page = try String(contentsOf: folder.file("pagetape-\(verb.commandName).1"), encoding: .utf8)
      let help = try #require(verb.discussion)
      let name = verb.commandName.replacingOccurrences(of: "-", with: "\\-")
      let status = try #require(help.components(separatedBy: "Exit status: ").last?.components(separatedBy: "\n\n").first)
      let section = try #require(page.components(separatedBy: ".Sh EXIT STATUS\n").last?.components(separatedBy: "\n.Sh").first)
      // Words alone: lines end elsewhere, and hyphens are escaped.
      let words = { (text: String) in text.replacingOccurrences(of: "\\-", with: "-").split(whereSeparator: \.isWhitespace).map { $0.lowercased() } }
      #expect(words(section) == words(status), "\(verb.commandName)")
      #expect(page.contains(".Sh EXAMPLES\n") && page.contains(".Dl pagetape \(name)"), "\(verb.commandName)")
      #expect(page.contains(".Sh SYNOPSIS\n.Nm pagetape \(name)\n"), "\(verb.commandName)")
    }
  }

  @Test(.enabled(if: python != nil && reader != nil, "neither mandoc nor groff is installed: manual pages are not read")) func pagesAreWellFormed() throws {
    let (folder, reader) = (try Self.pages(), try #require(Self.reader))
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.url.path) {
      let arguments = reader.hasSuffix("mandoc") ? ["-T", "lint", "-W", "warning"] : ["-mandoc", "-ww", "-z"]
      let said = try Tool.run(arguments + [folder.file(name).path], path: reader)
      #expect(said.output.isEmpty && said.error.isEmpty, "\(name): \(said)")
    }
  }
}
