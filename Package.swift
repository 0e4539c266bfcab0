// swift-tools-version: 6.2
// The layers are drawn in Sources/CommandLine/pagetape/pagetape.docc/Architecture.md.

import PackageDescription

/// Every Swift target is built alike; a warning in our own code is an error.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

/// A Swift target; `layer` is the folder under Sources that says which layer it belongs to.
func module(_ name: String, in layer: String, needs: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
  .target(name: name, dependencies: needs, path: "Sources/\(layer)/\(name)", resources: resources, swiftSettings: settings)
}

func tests(_ name: String, needs: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: needs, path: "Tests/\(name)", swiftSettings: settings)
}

let package = Package(
  name: "pagetape",
  products: [
    .executable(name: "pagetape", targets: ["pagetape"]),
    .library(
      name: "PagetapeAnalysis",
      targets: [
        "TraceEvents", "TreeFormat", "TraceFormat", "TraceFile", "Analyzer", "Races", "Minimization", "Inspection", "Interchange", "Reports", "Regression",
        "Timeline", "ReportPage", "Exports", "Symbols", "ELFFormat", "AllowLists",
      ]),
    .library(name: "HappensBefore", targets: ["HappensBefore"]),
    .library(
      name: "PagetapeRecording",
      targets: [
        "TraceEvents", "TraceFormat", "TraceFile", "Hypervisor", "GuestImages", "LinuxBoot", "PCDevices", "Completions", "SavedMachines", "KVM", "Runner",
        "Synthesizer",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    // Shims: what Swift's importer cannot see of the headers of the kernel, the C library, zstd and SQLite.
    .target(name: "CKVM", path: "Sources/Shims/CKVM"),
    .target(name: "CFiles", path: "Sources/Shims/CFiles"),
    .target(name: "CArguments", path: "Sources/Shims/CArguments"),
    .systemLibrary(name: "CZstd", path: "Sources/Shims/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CSQLite", path: "Sources/Shims/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

    // Trace: the words (events, tree pages), the format (bytes to events), the file (I/O).
    module("TraceEvents", in: "Trace"),
    module("TreeFormat", in: "Trace"),
    module("TraceFormat", in: "Trace", needs: ["TraceEvents", "CZstd"]),
    module("TraceFile", in: "Trace", needs: ["TraceEvents", "TraceFormat", "CZstd", "CFiles"]),
    module("Digests", in: "Trace"),
    module("ELFFormat", in: "Trace"),

    // Recording: KVM below, the hypervisor's decisions with no KVM in them, the runner that joins the two.
    module("KVM", in: "Recording", needs: ["CKVM"]),
    .target(name: "GuestPrograms", path: "Sources/Recording/GuestPrograms"),
    module("Hypervisor", in: "Recording", needs: ["TraceEvents", "TreeFormat"]),
    module("GuestImages", in: "Recording", needs: ["GuestPrograms", "X86", "Digests", "ELFFormat"]),
    module("X86", in: "Recording"),
    // Linux as a guest: what its boot protocol wants in memory, the devices of a PC, and what an emulating KVM leaves to be finished. No KVM in them.
    module("LinuxBoot", in: "Recording", needs: ["GuestImages", "X86", "Digests", "ELFFormat", "PCDevices", "CZstd"]),
    module("PCDevices", in: "Recording"),
    module("Completions", in: "Recording", needs: ["X86"]),
    module("SavedMachines", in: "Recording", needs: ["CZstd"]),
    module(
      "Runner", in: "Recording",
      needs: ["KVM", "X86", "GuestImages", "PCDevices", "Completions", "SavedMachines", "Hypervisor", "TraceEvents", "TraceFormat", "TraceFile"]),
    module("Synthesizer", in: "Recording", needs: ["TraceEvents", "TreeFormat", "TraceFormat", "TraceFile"]),

    // Analysis: judges from events alone; no KVM, no I/O. HappensBefore stands alone: it needs nothing of ours.
    module("HappensBefore", in: "Analysis"),
    module("TraceOrder", in: "Analysis", needs: ["HappensBefore", "TraceEvents"]),
    module("Interchange", in: "Analysis", needs: ["HappensBefore", "TraceOrder", "TraceEvents", "TraceFormat", "Symbols"]),
    module("Analyzer", in: "Analysis", needs: ["TraceEvents", "TreeFormat", "TraceFormat", "HappensBefore", "TraceOrder"]),
    module("Races", in: "Analysis", needs: ["TraceEvents", "TraceFormat", "HappensBefore", "TraceOrder", "Analyzer"]),
    module("Minimization", in: "Analysis", needs: ["TraceEvents", "TraceFormat", "Analyzer", "Races"]),
    module("Symbols", in: "Analysis", needs: ["ELFFormat"]),
    module("AllowLists", in: "Analysis", needs: ["Analyzer", "Symbols"]),
    module("Inspection", in: "Analysis", needs: ["TraceEvents", "TreeFormat", "TraceFormat"]),
    module("Reports", in: "Analysis", needs: ["TraceEvents", "TreeFormat", "TraceFormat", "Analyzer", "Minimization", "Inspection", "Symbols"]),
    module("Timeline", in: "Analysis", needs: ["TraceEvents", "TraceFormat"]),
    // The page's HTML, style sheet and scripts are compiled in: the tool needs no file beside it.
    module(
      "ReportPage", in: "Analysis", needs: ["TraceEvents", "TraceFormat", "Digests", "Analyzer", "Inspection", "Reports", "Timeline", "Symbols"],
      resources: [.embedInCode("Page")]),
    module("Regression", in: "Analysis", needs: ["TraceFormat", "Analyzer", "Reports"]),

    module("Exports", in: "Analysis", needs: ["TraceEvents", "TraceFormat", "Digests", "Analyzer", "Interchange", "Reports", "Timeline", "Symbols"]),

    // Command line: thin. TraceSuite is what runs stored traces: files and threads. TraceDatabase is a trace as SQLite's file.
    module("OutputFiles", in: "CommandLine", needs: ["CFiles"]),
    module(
      "TraceSuite", in: "CommandLine", needs: ["CFiles", "OutputFiles", "TraceFormat", "TraceFile", "Analyzer", "Races", "AllowLists", "Regression"]),
    module("SQLite", in: "CommandLine", needs: ["CSQLite"]),
    module("TraceDatabase", in: "CommandLine", needs: ["SQLite", "TraceEvents", "TraceFormat", "TraceFile", "Analyzer", "Reports", "Timeline", "Symbols"]),
    .executableTarget(
      name: "pagetape",
      dependencies: [
        "TraceEvents", "TraceFormat", "TraceFile", "GuestImages", "LinuxBoot", "SavedMachines", "Hypervisor", "Runner", "Synthesizer", "HappensBefore", "TraceOrder", "Interchange",
        "Analyzer", "Races", "Minimization", "Inspection", "Reports", "Regression", "Timeline", "ReportPage", "Exports", "OutputFiles",
        "TraceSuite", "Digests", "Symbols", "ELFFormat", "AllowLists", "SQLite", "TraceDatabase", "CArguments",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/CommandLine/pagetape",
      swiftSettings: settings
    ),

    // Random numbers that a run can be given again.
    .target(name: "TestSeeds", path: "Tests/TestSeeds", swiftSettings: settings),
    tests("TraceFormatTests", needs: ["TraceEvents", "TraceFormat", "TraceFile", "TestSeeds"]),
    tests("HypervisorTests", needs: ["TraceEvents", "TreeFormat", "Hypervisor", "TestSeeds"]),
    tests("GuestImagesTests", needs: ["GuestImages", "X86"]),
    tests("LinuxBootTests", needs: ["GuestImages", "X86", "LinuxBoot", "PCDevices", "TestSeeds"]),
    tests("PCDevicesTests", needs: ["PCDevices"]),
    tests("SavedMachinesTests", needs: ["SavedMachines", "TestSeeds"]),
    tests("CompletionsTests", needs: ["Completions", "X86"]),
    tests(
      "RunnerTests",
      needs: ["CKVM", "KVM", "GuestImages", "Hypervisor", "SavedMachines", "Runner", "TraceEvents", "TraceFormat", "TraceFile", "TestSeeds"]),
    tests("AnalyzerTests", needs: ["TraceEvents", "TreeFormat", "TraceFormat", "TraceOrder", "HappensBefore", "Analyzer", "Races", "TestSeeds"]),
    tests("HappensBeforeTests", needs: ["HappensBefore", "TestSeeds"]),
    tests("InterchangeTests", needs: ["HappensBefore", "Interchange", "TestSeeds"]),
    tests("InspectionTests", needs: ["TraceEvents", "TreeFormat", "TraceFormat", "Inspection", "TestSeeds"]),
    tests("SymbolsTests", needs: ["ELFFormat", "Symbols", "TestSeeds"]),
    tests("AllowListsTests", needs: ["Analyzer", "AllowLists", "Symbols", "TraceEvents", "TraceFormat", "TestSeeds"]),
    tests("TimelineTests", needs: ["TraceEvents", "TraceFormat", "Timeline", "TestSeeds"]),
    tests("RegressionTests", needs: ["TraceEvents", "TraceFormat", "Analyzer", "Reports", "Regression"]),
    tests(
      "ExportsTests",
      needs: ["TraceEvents", "TraceFormat", "TraceFile", "Digests", "Analyzer", "Races", "Interchange", "Reports", "Timeline", "Exports", "Symbols"]),
    tests(
      "EndToEndTests",
      needs: [
        "TraceEvents", "TraceFormat", "TraceFile", "Analyzer", "Races", "Minimization", "Inspection", "Reports", "Regression", "Timeline", "ReportPage",
        "TraceSuite", "OutputFiles", "Synthesizer", "Hypervisor", "ELFFormat", "Symbols", "AllowLists", "CSQLite", "SQLite", "TraceDatabase", "TreeFormat",
        "TestSeeds", "SavedMachines",
      ]),
    // What the pages for users of the library show, by the modules of products alone.
    tests(
      "LibraryTests",
      needs: ["TraceEvents", "TraceFormat", "TraceFile", "HappensBefore", "Analyzer", "Races", "Reports", "GuestImages", "Runner"]),
  ]
)
