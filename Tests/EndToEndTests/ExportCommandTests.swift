import Foundation
import Testing

/// `export` as a process: where its output goes, and what is left of it when it ends early.
@Suite struct ExportCommandTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }

  static func stored(_ name: String) -> String { Repository.root.appendingPathComponent("traces/\(name).tape").path }

  @Test func aFileHoldsWhatStandardOutputDoes() throws {
    let trace = Self.stored("clean-brief-2")
    let file = folder.file("brief.std").path
    let printed = try Tool.run("export", trace)
    let written = try Tool.run("export", trace, "-o", file)
    #expect(printed.status == 0 && written.status == 0)
    #expect(try String(contentsOfFile: file, encoding: .utf8) == printed.output)
    #expect(written.output.hasPrefix("\(file): ") && written.output.contains(" events, "), "\(written.output)")
    #expect(try Tool.run("export", trace, "-o", "-").output == printed.output)
  }

  @Test func nothingIsOverwrittenUnlessAsked() throws {
    let file = folder.file("brief.std")
    try Data("mine".utf8).write(to: file)
    let refused = try Tool.run("export", Self.stored("clean-brief-2"), "-o", file.path)
    #expect(refused.status == 2 && refused.error.contains("not overwritten; --force overwrites it"), "\(refused.error)")
    #expect(try String(contentsOf: file, encoding: .utf8) == "mine")
    #expect(try Tool.run("export", Self.stored("clean-brief-2"), "-o", file.path, "--force").status == 0)
    #expect(try String(contentsOf: file, encoding: .utf8).hasPrefix("T"))
    let trace = folder.file("x.tape")
    try FileManager.default.copyItem(atPath: Self.stored("clean-hello"), toPath: trace.path)
    #expect(try Tool.run("export", trace.path, "-o", trace.path, "--force").status == 2)
    #expect(try Data(contentsOf: trace) == Data(contentsOf: URL(fileURLWithPath: Self.stored("clean-hello"))))
  }

  @Test func whatIsLeftOfADamagedTraceIsExported() throws {
    let result = try Tool.run("export", Self.stored("damaged-flipped"), "-o", folder.file("x").path)
    #expect(result.status == 3 && result.error.contains("expected"))
    #expect(try names() == ["x"])
  }

  @Test func aDiskThatIsFullLeavesNothing() throws {
    let full = try Tool.run("export", Self.stored("clean-brief-2"), "-o", "/dev/full")
    #expect(full.status == 2 && full.error.contains("/dev/full: cannot write"))
    // A limit on the size of files is met in the middle of one.
    let limit = "ulimit -f 8; exec \"$0\" export \"$1\" -o \"$2\""
    let cut = try Tool.run(["-c", limit, Tool.path, Self.stored("clean-stop-storm-exact"), folder.file("x").path], path: "/bin/bash")
    #expect(cut.status == 2 && cut.error.contains("cannot write"), "\(cut)")
    #expect(try names() == [])
  }

  /// A trace may come from anyone: what it says stays text, in every format.
  @Test(arguments: ["perfetto", "sarif", "jsonl", "csv"]) func aHostileTraceIsWellFormed(format: String) throws {
    let trace = try ReportPageTests.hostileTrace(in: folder)
    let result = try Tool.run("export", "--format", format, trace.path)
    #expect(result.status == 0, "\(result.error)")
    #expect(!result.output.utf8.contains { $0 < 0x20 && $0 != 10 && $0 != 13 })
    let texts = format == "jsonl" ? result.output.split(separator: "\n").map(String.init) : format == "csv" ? [] : [result.output]
    for text in texts { _ = try JSONSerialization.jsonObject(with: Data(text.utf8)) }
    #expect(format == "csv" ? result.output.hasPrefix("seq,time_ns,vcpu,kind,") : !texts.isEmpty)
  }

  /// What cannot be read is told by the status; what can is exported.
  @Test(arguments: ["perfetto", "sarif", "jsonl", "csv", "std"]) func aDamagedTraceIsExported(format: String) throws {
    let result = try Tool.run("export", "--format", format, Self.stored("damaged-truncated"))
    #expect(result.status == 3 && result.error.contains("damaged-truncated.tape: ") && !result.output.isEmpty)
    #expect(try Tool.run("export", "--format", format, Self.stored("damaged-text")).status == 3)
    #expect(try Tool.run("export", "--format", format, folder.file("none.tape").path).status == 2)
  }

  @Test(arguments: ["export", "repair", "generate"]) func aSignalLeavesNothing(verb: String) throws {
    let trace = folder.file("x.tape").path
    #expect(try Tool.run("generate", "--events", "300000", "-o", trace).status == 0)
    let output = folder.file("y").path
    let arguments = ["export": ["--format", "jsonl", trace], "repair": [trace], "generate": ["--events", "300000"]]
    for number in [SIGTERM, SIGINT, SIGHUP] {
      let process = try Self.startWithSignals(
        [verb] + (arguments[verb] ?? []) + ["-o", output], output: folder.file("out"), error: folder.file("err"))
      while process.isRunning, !(try names().contains { $0.hasSuffix(".tmp") }) { usleep(500) }
      kill(process.processIdentifier, number)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number, "\(process.terminationStatus)")
      let left = try names()
      #expect(left == ["err", "out", "x.tape"])
    }
  }

  /// What is there stays until the new one is whole, and where that comes to nothing.
  @Test(
    .enabled(if: DatabaseExportTests.mounts, "no small file system can be mounted here (unshare -rm): a full disk is not tried"),
    arguments: ["repair", "generate --events 100000", "minimize --rule stop/*"])
  func aFullDiskLeavesWhatWasThere(command: String) throws {
    let script = """
      mount -t tmpfs -o size=8k none /mnt && printf mine > /mnt/x && set -f && "$0" $2 $1 -o /mnt/x --force; echo $?; ls -A /mnt; cat /mnt/x
      """
    let trace = command.hasPrefix("generate") ? "" : Self.stored(command == "repair" ? "clean-integrity-4" : "fault-stop-map-early")
    let full = try Tool.run(["-rm", "sh", "-c", script, Tool.path, trace, command], path: "/usr/bin/unshare")
    #expect(full.output == "2\nx\nmine", "\(full)")
    #expect(full.error.hasPrefix("pagetape: /mnt/x") && full.error.hasSuffix("No space left on device\n"), "\(full)")
  }

  /// Tests run on threads that let no signal through, and a process inherits that.
  private static func startWithSignals(_ arguments: [String], output: URL, error: URL) throws -> Process {
    var (none, before) = (sigset_t(), sigset_t())
    // SAFETY: the sets are ours.
    unsafe sigemptyset(&none)
    unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    return try Tool.start(arguments, output: output, error: error)
  }
}
