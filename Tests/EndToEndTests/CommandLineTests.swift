import Foundation
import Testing

/// What the tool says of itself, and to those who mistype.
struct CommandLineTests {
  struct Help: Decodable {
    struct Command: Decodable {
      var commandName: String
      var abstract: String?
      var discussion: String?
      var subcommands: [Command]?
    }

    var command: Command
  }

  static func verbs() throws -> [Help.Command] {
    let help = try Tool.run("--experimental-dump-help").output
    let verbs = try JSONDecoder().decode(Help.self, from: Data(help.utf8)).command.subcommands ?? []
    return verbs.filter { $0.commandName != "help" }
  }

  @Test func everyVerbExplainsItselfWithAnExample() throws {
    let verbs = try Self.verbs()
    #expect(verbs.count >= 13)
    for verb in verbs {
      let name = verb.commandName
      #expect(verb.abstract?.hasSuffix(".") == true, "\(name): \(verb.abstract ?? "")")
      let help = try Tool.run("help", name)
      #expect(help.status == 0 && help.output.contains("EXAMPLES:"), "\(name)")
      #expect(help.output.contains("    pagetape \(name)"), "\(name): no example")
      #expect(help.output.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains("Exit status: 0"), "\(name): no exit status")
      let lines = help.output.split(separator: "\n")
      for line in lines where line.count > 80 { Issue.record("help \(name), \(line.count) columns: \(line)") }
      // An example is to be copied: it is not broken.
      for line in (verb.discussion ?? "").split(separator: "\n") where line.hasPrefix("    pagetape") {
        #expect(lines.contains(line), "help \(name) breaks the example\(line)")
      }
      // The other way to ask, and the usage that who mistypes is told.
      #expect(try Tool.run(name, "--help").output == help.output)
      for line in try Tool.run(name, "--no-such-option").error.split(separator: "\n") where line.contains("sage:") {
        #expect(line.count <= 80, "\(line)")
      }
    }
  }

  /// Usage is broken between options, and nothing of it is lost: what the parser says of itself has all of them.
  @Test func usageIsBrokenBetweenOptions() throws {
    let usage = try #require(try Tool.run("help", "dump").output.components(separatedBy: "\n\nARGUMENTS:").first?.components(separatedBy: "USAGE: ").last)
    let lines = usage.split(separator: "\n")
    #expect(lines.count > 1)
    for line in lines.dropFirst() { #expect(line.hasPrefix(String(repeating: " ", count: 21) + "["), "\(line)") }
    for option in ["<file>", "[--from <seq>]", "[--kind <kind> ...]", "[--format <format>]"] { #expect(usage.contains(option), "\(usage)") }
  }

  /// The options in an example are options of its verb: each is tried, on files that are not there.
  @Test func examplesAreWellFormed() throws {
    let folder = try Folder()
    for verb in try Self.verbs() {
      for line in (verb.discussion ?? "").split(separator: "\n") where line.hasPrefix("    pagetape ") {
        let words = line.split(separator: " ").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "'")) }
        var arguments = Array(words.dropFirst().prefix { $0 != ">" && $0 != "|" })
        // Nothing is recorded, generated or updated here: what is asked for is only understood.
        if ["record", "generate", "test"].contains(verb.commandName) { arguments.append("--help") }
        arguments = arguments.map { $0.contains(".tape") || $0.contains(".std") || $0.contains(".elf") ? folder.file($0).path : $0 }
        let result = try Tool.run(arguments)
        #expect(!result.error.contains("Usage:"), "\(line): \(result.error)")
      }
    }
  }

  @Test(arguments: [
    (["replya", "x"], "there is no verb 'replya' (did you mean \"replay\"?)"), (["help", "recrod"], "(did you mean \"record\"?)"),
    (["replay", "--formt", "json", "x"], "Did you mean '--format'?"), (["replay", "--format", "jsn", "x"], "'text' and 'json'. (did you mean \"json\"?)"),
    (["export", "--format", "perfeto", "x"], "  - std\n(did you mean \"perfetto\"?)\n"),
    (["replay", "--color", "alwys", "x"], "(did you mean \"always\"?)"), (["record", "--schedule", "serail", "-o", "x"], "(did you mean \"serial\"?)"),
    (["replay", "--rule", "stpo/*", "x"], "(did you mean \"stop/*\"?)"), (["minimize", "--rule", "raec/*", "-o", "y", "x"], "(did you mean \"race/*\"?)"),
    (["replay", "--rule", "stop/map-erly", "x"], "no rule matches 'stop/map-erly'"),
    (["replay", "--rule", "tree/node-wirte", "x"], "(did you mean \"tree/node-write\"?)"),
    (["record", "--guest", "integrty", "-o", "x"], "did you mean integrity?"),
    (["record", "--guest", "hello", "--fault", "stop/map-erly", "-o", "x"], "(did you mean \"stop/map-early\"?)"),
    (["dump", "--kind", "page-wirte", "x"], "(did you mean \"page-write\"?)"), (["diff", "--ignore", "rpi", "x", "y"], "(did you mean \"rip\"?)"),
  ] as [([String], String)])
  func whoMistypesIsTold(arguments: [String], said: String) throws {
    let result = try Tool.run(arguments)
    #expect(result.status == 2 && result.output.isEmpty)
    #expect(result.error.contains(said), "\(result.error)")
  }

  @Test func aFileThatIsNotThereHasANeighbour() throws {
    let folder = try Folder()
    try Data("x".utf8).write(to: folder.file("boot.tape"))
    let near = try Tool.run("info", folder.file("boto.tape").path)
    #expect(near.status == 2 && near.error.contains("(did you mean \"\(folder.file("boot.tape").path)\"?)"), "\(near.error)")
    #expect(!(try Tool.run("info", folder.file("else.tape").path)).error.contains("did you mean"))
    #expect(!(try Tool.run("info", folder.file("none/boot.tape").path)).error.contains("did you mean"))
  }

  /// No colour where nobody looks, unless it is asked for.
  @Test(arguments: ["replay", "races", "blame", "diff"]) func colours(verb: String) throws {
    let trace = Repository.root.appendingPathComponent("traces/clean-hello.tape").path
    let more = verb == "blame" ? ["0x100000"] : verb == "diff" ? [trace] : []
    let plain = try Tool.run([verb, trace] + more)
    #expect(!plain.output.contains("\u{1b}"))
    let never = try Tool.run([verb, trace] + more + ["--color", "never"])
    #expect(never.output == plain.output)
    let always = try Tool.run([verb, trace] + more + ["--color", "always"])
    #expect(always.status == plain.status)
    if verb != "blame" { #expect(always.output.contains("\u{1b}[")) }
    let forced = try Tool.run(["-u", "NO_COLOR", "CLICOLOR_FORCE=1", Tool.path, verb, trace] + more, path: "/usr/bin/env")
    #expect(forced.output == always.output)
    for (value, isForced) in [("1", true), ("true", true), ("0", false), ("", false)] {
      let result = try Tool.run(["-u", "NO_COLOR", "-u", "CLICOLOR_FORCE", "FORCE_COLOR=\(value)", Tool.path, verb, trace] + more, path: "/usr/bin/env")
      #expect(result.output == (isForced ? always : plain).output, "FORCE_COLOR=\(value)")
    }
    let refused = try Tool.run(["CLICOLOR_FORCE=1", "FORCE_COLOR=1", "NO_COLOR=1", Tool.path, verb, trace] + more, path: "/usr/bin/env")
    #expect(refused.output == plain.output)
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func completionsKnowTheNames(shell: String) throws {
    let script = try Tool.run("--generate-completion-script", shell)
    #expect(script.status == 0)
    for name in ["stop/map-early", "integrity", "stop/region-exposed", "page-write", "blame", "never", "registers", "stop/*", "perfetto", "sarif"] {
      #expect(script.output.contains(name), "\(shell): \(name)")
    }
    if shell == "bash" {
      let folder = try Folder()
      try Data(script.output.utf8).write(to: folder.file("script"))
      #expect(try Tool.run(["-n", folder.file("script").path], path: "/bin/bash").status == 0)
    }
  }

  /// Where there is no /proc, as in a bare chroot: a tool that loses its arguments there prints its help, and says with a status of 0 that all is well.
  @Test(.enabled(if: DatabaseExportTests.mounts, "nothing can be mounted here (unshare -rm): no /proc is not tried"))
  func argumentsAreKnownWithoutProc() throws {
    let trace = Repository.root.appendingPathComponent("traces/fault-stop-map-early.tape").path
    let result = try Tool.run(["-rm", "sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" replay \"$1\"", Tool.path, trace], path: "/usr/bin/unshare")
    #expect(result.status == 1 && result.output.hasPrefix("violated"), "\(result)")
  }
}
