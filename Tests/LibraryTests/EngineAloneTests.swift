import Foundation
import Testing

/// What the engine of races promises: it builds without the rest, and in the packages of others, optimized. That this package compiles says nothing of that.
struct EngineAloneTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardizedFileURL

  private static let engine = """
    // swift-tools-version: 6.2
    import PackageDescription
    let package = Package(
      name: "engine", products: [.library(name: "HappensBefore", targets: ["HappensBefore"])],
      targets: [.target(name: "HappensBefore", swiftSettings: [.strictMemorySafety(), .enableExperimentalFeature("Lifetimes")])])
    """

  private static let user = """
    // swift-tools-version: 6.2
    import PackageDescription
    let package = Package(
      name: "user", dependencies: [.package(path: "../engine")],
      targets: [.executableTarget(name: "user", dependencies: [.product(name: "HappensBefore", package: "engine")])])
    """

  @Test func anotherPackageFindsRaces() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pagetape-" + UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (engine, user) = (folder.appendingPathComponent("engine"), folder.appendingPathComponent("user"))
    for sources in [engine.appendingPathComponent("Sources"), user.appendingPathComponent("Sources/user")] {
      try FileManager.default.createDirectory(at: sources, withIntermediateDirectories: true)
    }
    try Data(Self.engine.utf8).write(to: engine.appendingPathComponent("Package.swift"))
    try Data(Self.user.utf8).write(to: user.appendingPathComponent("Package.swift"))
    try FileManager.default.createSymbolicLink(
      at: engine.appendingPathComponent("Sources/HappensBefore"), withDestinationURL: Self.root.appendingPathComponent("Sources/Analysis/HappensBefore"))
    // In one file, as a small program is: two files are compiled apart, and less is asked of the module.
    let sample = try String(contentsOf: Self.root.appendingPathComponent("Tests/LibraryTests/Samples/HappensBefore.swift"), encoding: .utf8)
    try Data((sample + "print(findRaces())\n").utf8).write(to: user.appendingPathComponent("Sources/user/main.swift"))

    let (output, log) = (folder.appendingPathComponent("out"), folder.appendingPathComponent("log"))
    for file in [output, log] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["swift", "run", "--package-path", user.path, "-c", "release"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: log)
    try process.run()
    process.waitUntilExit()
    let told = try String(contentsOf: log, encoding: .utf8) + String(contentsOf: output, encoding: .utf8)
    #expect(process.terminationStatus == 0, "\(told.prefix(2000))")
    #expect(told.contains("[false, false, true]"))
  }
}
