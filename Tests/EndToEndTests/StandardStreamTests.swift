import Foundation
import Testing

/// Traces through pipes: `-` is standard output where a trace is written.
struct StandardStreamTests {
  private static let damaged = Repository.root.appendingPathComponent("traces/damaged-flipped.tape").path

  /// Runs a command of the shell, in which `$0` is the tool and `$1` the first of these arguments.
  static func shell(_ script: String, _ arguments: String...) throws -> Tool.Result {
    try Tool.run(["-c", script, Tool.path] + arguments, path: "/bin/sh")
  }

  @Test func aRepairedTraceGoesThroughAPipe() throws {
    let folder = try Folder()
    let (file, piped) = (folder.file("file.tape"), folder.file("piped.tape"))
    let first = try Tool.run("repair", Self.damaged, "-o", file.path)
    let second = try Self.shell("cd \"$3\" && \"$0\" repair \"$1\" -o - | cat > \"$2\"", Self.damaged, piped.path, folder.url.path)
    #expect(first.status == 0 && first.output == "\(file.path): 6,030 events kept, 1,011 known to be missing\n")
    #expect(second.output.isEmpty && second.error.contains("pagetape: standard output: 6,030 events kept, 1,011 known to be missing"), "\(second)")
    #expect(try Data(contentsOf: file) == Data(contentsOf: piped))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["file.tape", "piped.tape"])
    let judged = try Self.shell("\"$0\" repair \"$1\" -o - 2>/dev/null | \"$0\" replay -", Self.damaged)
    #expect(judged.output.contains("6,030 events"), "\(judged)")
  }

  @Test func aGeneratedTraceGoesThroughAPipe() throws {
    let judged = try Self.shell("\"$0\" generate --events 5000 -o - 2>/dev/null | \"$0\" replay -")
    #expect(judged.status == 0 && judged.output.hasPrefix("clean"), "\(judged)")
  }

  @Test func aFileBehindTheOutputIsWrittenOnFromWhereItIs() throws {
    let folder = try Folder()
    let script = "{ printf 12345678; \"$0\" repair \"$1\" -o -; } > \"$2\"; \"$0\" repair \"$1\" -o - | cat > \"$3\""
    _ = try Self.shell(script, Self.damaged, folder.file("both").path, folder.file("one").path)
    #expect(try Data(contentsOf: folder.file("both")) == Data("12345678".utf8) + Data(contentsOf: folder.file("one")))
  }

  @Test func anOutputThatTakesNothingIsTold() throws {
    let full = try Self.shell("\"$0\" repair \"$1\" -o - > /dev/full", Self.damaged)
    #expect(full.status == 2 && full.error.contains("standard output") && full.error.contains("No space left on device"), "\(full)")
  }

  @Test func whatMustBeAFileRefusesAPipe() throws {
    let small = try Tool.run("minimize", Self.damaged, "--rule", "stop/*", "-o", "-")
    #expect(small.status == 2 && small.error.contains("name a file with -o, not -"), "\(small)")
    let recorded = try Tool.run("record", "--guest", "hello", "-o", "-")
    #expect(recorded.status == 2 && recorded.error.contains("not to standard output"), "\(recorded)")
  }
}
