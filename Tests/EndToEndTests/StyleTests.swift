import Foundation
import Testing

/// What must stay true of the source itself.
struct StyleTests {
  static let sources = Repository.files(under: "Sources", withExtension: "swift")

  /// The report page's own files.
  static let page = ["js", "css", "html"].flatMap { Repository.files(under: "Sources/Analysis/ReportPage/Page", withExtension: $0) }

  static func imports(_ text: String) -> Set<String> {
    var found: Set<String> = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      if let at = words.firstIndex(of: "import"), at <= 1, at + 1 < words.count { found.insert(words[at + 1]) }
    }
    return found
  }

  @Test func thereIsSomethingToLookAt() {
    #expect(Self.sources.count > 50)
  }

  @Test func noInlineArray() {
    for file in Self.sources {
      #expect(!file.text.contains("InlineArray<"), "\(file.path): miscompiled by -O, see the ledger in Architecture.md")
      #expect(file.text.range(of: #":\s*\[[0-9A-Za-z_]+ of "#, options: .regularExpression) == nil, "\(file.path): sugar for InlineArray")
    }
  }

  @Test func foundationOnlyOnTheCommandLine() {
    for file in Self.sources where !file.path.hasPrefix("Sources/CommandLine/") {
      #expect(!Self.imports(file.text).contains { $0.hasPrefix("Foundation") }, "\(file.path)")
    }
  }

  @Test func layersGoOneWay() {
    let recording: Set = [
      "CKVM", "KVM", "Hypervisor", "X86", "GuestPrograms", "GuestImages", "LinuxBoot", "PCDevices", "Completions", "SavedMachines", "Runner", "Synthesizer",
    ]
    let analysis: Set = [
      "HappensBefore", "TraceOrder", "Analyzer", "Races", "Minimization", "Inspection", "Interchange", "Timeline", "ReportPage", "Reports", "Regression",
      "Exports", "Symbols",
    ]
    let forbidden: [(folder: String, modules: Set<String>)] = [
      ("Sources/Trace/TraceEvents/", recording.union(analysis).union(["TraceFormat", "TraceFile", "CZstd"])),
      ("Sources/Trace/TreeFormat/", recording.union(analysis).union(["TraceEvents", "TraceFormat", "TraceFile", "CZstd"])),
      ("Sources/Trace/TraceFormat/", recording.union(analysis).union(["TraceFile", "Glibc"])),
      ("Sources/Trace/TraceFile/", recording.union(analysis)),
      ("Sources/Trace/ELFFormat/", recording.union(analysis).union(["TraceEvents", "TreeFormat", "TraceFormat", "TraceFile", "Glibc"])),
      ("Sources/Recording/Hypervisor/", analysis.union(["CKVM", "KVM", "Runner", "TraceFormat", "TraceFile", "Glibc"])),
      ("Sources/Recording/LinuxBoot/", ["CKVM", "KVM", "Hypervisor", "Runner", "Completions", "TraceEvents", "TraceFormat", "TraceFile"]),
      ("Sources/Recording/PCDevices/", recording.union(["TraceEvents", "TraceFormat", "TraceFile", "Glibc"])),
      ("Sources/Recording/Completions/", recording.subtracting(["X86"]).union(["TraceEvents", "TraceFormat", "TraceFile", "Glibc"])),
      ("Sources/Recording/SavedMachines/", recording.union(["TraceEvents", "TraceFormat", "TraceFile", "Glibc"])),
      ("Sources/Recording/", analysis),
      ("Sources/Analysis/", recording.union(["TraceFile", "CZstd", "CFiles", "Glibc"])),
      ("Sources/Analysis/HappensBefore/", analysis.union(["TraceEvents", "TreeFormat", "TraceFormat"])),
      ("Sources/Analysis/TraceOrder/", analysis.subtracting(["HappensBefore"]).union(["TreeFormat", "TraceFormat"])),
      ("Sources/Analysis/Analyzer/", analysis.subtracting(["HappensBefore", "TraceOrder"])),
      ("Sources/Analysis/Races/", analysis.subtracting(["HappensBefore", "TraceOrder", "Analyzer"])),
      ("Sources/Analysis/Minimization/", analysis.subtracting(["HappensBefore", "TraceOrder", "Analyzer", "Races"])),
      ("Sources/Analysis/Timeline/", analysis.union(["TreeFormat"])),
      ("Sources/Analysis/Inspection/", analysis),
      ("Sources/Analysis/Symbols/", analysis.union(["TraceEvents", "TreeFormat", "TraceFormat"])),
      ("Sources/Analysis/Interchange/", analysis.subtracting(["HappensBefore", "TraceOrder", "Symbols"])),
      ("Sources/Analysis/Reports/", ["Interchange", "Timeline", "ReportPage", "Regression", "Exports"]),
      ("Sources/Analysis/Regression/", ["Interchange", "Timeline", "ReportPage", "Inspection", "Minimization", "Exports"]),
      ("Sources/Analysis/ReportPage/", ["Interchange", "Regression", "Minimization", "Exports"]),
      ("Sources/Analysis/Exports/", ["Regression", "Minimization", "ReportPage"]),
      ("Sources/CommandLine/OutputFiles/", recording.union(analysis).union(["TraceEvents", "TraceFormat", "TraceFile", "ArgumentParser"])),
      ("Sources/CommandLine/TraceSuite/", recording.union(["Inspection", "Interchange", "ArgumentParser", "SQLite", "CSQLite"])),
      ("Sources/CommandLine/SQLite/", recording.union(analysis).union(["TraceEvents", "TraceFormat", "TraceFile", "CZstd", "ArgumentParser"])),
      ("Sources/CommandLine/TraceDatabase/", recording.union(["Inspection", "Interchange", "ArgumentParser", "CSQLite", "TraceSuite"])),
      ("Sources/CommandLine/pagetape/", ["CSQLite", "CZstd", "CKVM"]),
    ]
    for rule in forbidden {
      let files = Self.sources.filter { $0.path.hasPrefix(rule.folder) }
      #expect(!files.isEmpty, "\(rule.folder) is gone; mend this test")
      for file in files {
        #expect(Self.imports(file.text).isDisjoint(with: rule.modules), "\(file.path) imports \(Self.imports(file.text).intersection(rule.modules))")
      }
    }
  }

  @Test func linesAndFilesStayReadable() {
    for file in Self.sources + Repository.files(under: "Tests", withExtension: "swift") + Self.page {
      let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count <= 500, "\(file.path) has \(lines.count) lines")
      for (index, line) in lines.enumerated() {
        #expect(line.count <= 160, "\(file.path):\(index + 1) has \(line.count) characters")
      }
    }
  }

  @Test func nothingIsLeftForLater() {
    for file in Self.sources {
      for mark in ["TODO", "FIXME", "XXX", "fatalError(\"not"] {
        #expect(!file.text.contains(mark), "\(file.path): \(mark)")
      }
    }
  }

  @Test func topLevelHoldsNothingElse() throws {
    let allowed: Set = ["Package.swift", "Package.resolved", "Sources", "Tests", "traces", "tools", "README.md", "LICENSE"]
    let names = try FileManager.default.contentsOfDirectory(atPath: Repository.root.path).filter { !$0.hasPrefix(".") }
    #expect(Set(names).subtracting(allowed).isEmpty, "\(Set(names).subtracting(allowed))")
  }
}
