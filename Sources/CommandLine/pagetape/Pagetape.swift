import ArgumentParser
import Glibc
import OutputFiles
import Reports

@main
struct Pagetape: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pagetape",
    abstract: "Records what a KVM guest writes and which mode each vCPU is in, and judges the recording.",
    discussion: """
      Exit status: 0 clean, or recorded; 1 a rule was broken, races were found, two traces differ, or a stored trace is not as expected; 2 bad \
      use or an I/O error; 3 the trace is damaged or incomplete and nothing was found in what is left, or a recording ended early or lost events; \
      4 this host cannot do it (no KVM); 125 of replay --bisect alone: the trace cannot be judged.
      """,
    version: Version.text,
    subcommands: [
      RecordCommand.self, ReplayCommand.self, TestCommand.self, MinimizeCommand.self, ReportCommand.self, RacesCommand.self, BlameCommand.self,
      DiffCommand.self, InfoCommand.self, DumpCommand.self, ExportCommand.self, RepairCommand.self, GenerateCommand.self, GuestsCommand.self,
      FaultsCommand.self, RulesCommand.self,
    ]
  )

  /// As `ParsableCommand.main()`, but bad use exits with 2, as everything here does.
  static func main() {
    // A pipe whose reader left is an error of the write, not the end of the process without a word; so is a file that must not grow further.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    do {
      let arguments = Array(Arguments.ofUser)
      try checkVerb(arguments)
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch let failure as Failure {
      Terminal.error("pagetape: \(failure.message)".printableLines)
      Glibc.exit(isBisecting ? ExitStatus.skipped.rawValue : failure.status.rawValue)
    } catch let error as OutputFileError {
      if !error.isReaderGone { Terminal.error("pagetape: \(error)\(error.isThere ? "; --force overwrites it" : "")".printableLines) }
      Glibc.exit(ExitStatus.badUse.rawValue)
    } catch {
      let code = exitCode(for: error)
      let text = UsageLines.wrapped(Suggestion.added(toParserMessage: fullMessage(for: error)))
      if code == .success {
        print(text)
        Glibc.exit(ExitStatus.clean.rawValue)
      }
      if !text.isEmpty { Terminal.error(text.printableLines) }
      let status = error is ExitCode ? code.rawValue : ExitStatus.badUse.rawValue
      Glibc.exit(isBisecting && status == ExitStatus.badUse.rawValue ? ExitStatus.skipped.rawValue : status)
    }
  }

  /// An unknown verb is told as one, with the nearest that there is: the parser would count unexpected arguments.
  private static func checkVerb(_ arguments: [String]) throws {
    let verbs = configuration.subcommands.compactMap { $0.configuration.commandName }
    let typed = arguments.first == "help" ? arguments.dropFirst().first : arguments.first
    guard let typed, !typed.hasPrefix("-"), typed != "help", !verbs.contains(typed) else { return }
    throw Failure("there is no verb '\(typed)'\(Suggestion.text(for: typed, among: verbs)); 'pagetape --help' lists them")
  }

  /// Whether 'git bisect run' looks at the status. It takes 2 for a bad commit; a rule that this version does not know, say, makes none.
  private static var isBisecting: Bool {
    let arguments = Arguments.ofUser
    return arguments.first { !$0.hasPrefix("-") } == "replay" && arguments.contains("--bisect")
  }
}
