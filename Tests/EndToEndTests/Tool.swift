import Foundation
import Testing

/// The command-line tool as a process, as a user runs it.
struct Tool {
  struct Result {
    var status: Int32
    var output: String
    var error: String
  }

  /// The tool that was built along with these tests.
  static let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent("pagetape").path

  static func start(_ arguments: [String], path: String = path, output: URL, error: URL) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    _ = FileManager.default.createFile(atPath: output.path, contents: nil)
    _ = FileManager.default.createFile(atPath: error.path, contents: nil)
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: error)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return process
  }

  static func run(_ arguments: String...) throws -> Result { try run(arguments) }

  /// With another `path`, a program that starts the tool.
  static func run(_ arguments: [String], path: String = path) throws -> Result {
    let folder = try Folder()
    let output = folder.file("out")
    let error = folder.file("err")
    let process = try start(arguments, path: path, output: output, error: error)
    process.waitUntilExit()
    return Result(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: try String(contentsOf: output, encoding: .utf8), error: try String(contentsOf: error, encoding: .utf8))
  }
}

/// A folder of its own, gone with the last reference.
final class Folder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("pagetape-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  func file(_ name: String) -> URL { url.appendingPathComponent(name) }

  deinit { try? FileManager.default.removeItem(at: url) }
}

/// A verdict as `replay --format json` prints it.
struct VerdictReport: Decodable {
  struct Finding: Decodable {
    struct Reason: Decodable {
      var seq: UInt64
      var what: String
    }

    var rule: String
    var severity: String
    var count: UInt64
    var seq: UInt64
    var vcpu: Int?
    var gpa: String?
    var rip: String?
    var expected: String
    var observed: String
    var because: [Reason]
  }

  var verdict: String
  var events: UInt64
  var lost: UInt64
  var findings: [Finding]

  init(replaying path: String, _ extra: String...) throws {
    let result = try Tool.run(["replay", path, "--format", "json"] + extra)
    self = try JSONDecoder().decode(Self.self, from: Data(result.output.utf8))
    let statuses: [String: Int32] = ["clean": 0, "violated": 1, "incomplete": 3]
    #expect(result.status == statuses[verdict], "exit status and verdict differ: \(result.status), \(verdict)")
  }
}

/// Whether guests can run here.
enum KVMAccess {
  // SAFETY: a constant string.
  static let isThere = unsafe access("/dev/kvm", R_OK | W_OK) == 0
  static let comment: Comment = "/dev/kvm is missing or not permitted on this machine: guests are not recorded"
}
