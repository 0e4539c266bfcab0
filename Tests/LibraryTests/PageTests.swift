import Foundation
import Testing

/// The code on the pages is the code of the samples, which is compiled and run.
struct PageTests {
  private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  private static let root = tests.appendingPathComponent("../..")
  private static let catalog = root.appendingPathComponent("Sources/CommandLine/pagetape/pagetape.docc")

  /// The marked parts of the samples.
  private static func samples() throws -> [String: String] {
    let folder = tests.appendingPathComponent("Samples")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
    var samples: [String: String] = [:]
    for file in names.map(folder.appendingPathComponent) + [tests.appendingPathComponent("StoredTraceTests.swift")] {
      var name: String?
      var lines: [Substring] = []
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
        if line == "// docs: end" {
          let sample = try #require(name, "\(file.lastPathComponent): an end without a start")
          #expect(samples[sample] == nil, "two samples are called \(sample)")
          samples[sample] = lines.joined(separator: "\n")
          (name, lines) = (nil, [])
        } else if line.hasPrefix("// docs: ") {
          name = String(line.dropFirst(9))
        } else if name != nil {
          lines.append(line)
        }
      }
      #expect(name == nil, "\(file.lastPathComponent): a sample without an end")
    }
    return samples
  }

  /// Swift code between fences.
  private static func blocks(_ file: URL) throws -> [String] {
    var blocks: [String] = []
    var lines: [Substring]?
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```swift" {
        lines = []
      } else if line == "```", let block = lines {
        blocks.append(block.joined(separator: "\n"))
        lines = nil
      } else {
        lines?.append(line)
      }
    }
    return blocks
  }

  @Test func codeOnThePagesIsTested() throws {
    let samples = try Self.samples()
    var unused = Set(samples.keys)
    for page in ["Library.md", "OwnRules.md"].map(Self.catalog.appendingPathComponent) + [Self.root.appendingPathComponent("README.md")] {
      for block in try Self.blocks(page) where !block.contains(".package(url:") {
        let names = samples.filter { $0.value == block }.map(\.key)
        #expect(!names.isEmpty, "\(page.lastPathComponent): no sample is\n\(block)")
        unused.subtract(names)
      }
    }
    #expect(unused.isEmpty, "on no page: \(unused)")
  }

  @Test func theProductsAreThere() throws {
    let manifest = try String(contentsOf: Self.root.appendingPathComponent("Package.swift"), encoding: .utf8)
    let blocks = try Self.blocks(Self.catalog.appendingPathComponent("Library.md")).filter { $0.contains(".package(url:") }
    #expect(blocks.count == 1)
    let named = blocks.joined().matches(of: /\.product\(name: "(\w+)", package: "pagetape"\)/).map { String($0.1) }
    #expect(named == ["PagetapeAnalysis", "PagetapeRecording", "HappensBefore"])
    for name in named { #expect(manifest.contains("name: \"\(name)\""), "\(name)") }
  }
}
