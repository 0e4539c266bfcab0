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

  /// A pipe is copied where TMPDIR says, and nothing stays there. Both kinds of reader, and both sorts of input of `races`.
  @Test(arguments: ["replay", "races"]) func aPipeIsCopiedWhereItIsToldTo(verb: String) throws {
    let folder = try Folder()
    let trace = Repository.root.appendingPathComponent("traces/clean-brief-2.tape").path
    let direct = try Tool.run(verb, trace)
    let piped = try Self.shell("cat \"$1\" | TMPDIR=\"$2\" \"$0\" \(verb) -", trace, folder.url.path)
    #expect(piped.status == direct.status && piped.output == direct.output.replacingOccurrences(of: trace, with: "-"), "\(piped)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    let nowhere = try Self.shell("cat \"$1\" | TMPDIR=\"$2/none\" \"$0\" \(verb) -", trace, folder.url.path)
    let said = "pagetape: standard input: cannot make a temporary file in \(folder.url.path)/none (TMPDIR): No such file or directory\n"
    #expect(nowhere.status == 2 && nowhere.error == said, "\(nowhere)")
  }

  @Test(
    .enabled(if: DatabaseExportTests.mounts, "no small file system can be mounted here (unshare -rm): a full disk is not tried"),
    arguments: ["replay", "races"])
  func aPipeThatIsLargerThanTheDiskIsRefused(verb: String) throws {
    let script = "mount -t tmpfs -o size=8k none /mnt && cat \"$1\" | TMPDIR=/mnt \"$0\" \(verb) -; echo $?; ls -A /mnt"
    let full = try Tool.run(["-rm", "sh", "-c", script, Tool.path, Self.damaged], path: "/usr/bin/unshare")
    #expect(full.output == "2\n", "\(full)")
    #expect(full.error.hasPrefix("pagetape: standard input: cannot copy it to a temporary file in /mnt (TMPDIR), "), "\(full)")
    #expect(full.error.hasSuffix(" bytes are there: No space left on device\n"), "\(full)")
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
