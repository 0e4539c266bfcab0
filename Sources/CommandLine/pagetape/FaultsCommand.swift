import ArgumentParser
import Hypervisor
import Reports

struct FaultsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "faults", abstract: "List the faults that can be planted in the recorder's hypervisor.",
    discussion: Help.text(
      """
      'rules' are those that a recording with the fault must violate; 'may' are further ones that it can violate on some schedules. A fault with a \
      'window' is a race: it says what has to fall into the window, and what the guest does to make it. 'models' is the public issue or commit of \
      real rendezvous code that the fault stands for.

      Exit status: 0; 2 where the list could not be printed.
      """,
      Help.Example("what can be broken on purpose, for a script", "pagetape faults --format json")))

  @Option(help: "text or json.") var format = OutputFormat.text

  func run() throws {
    switch format {
    case .text:
      for fault in Fault.table {
        try Terminal.output("\(fault.name)\n  \(fault.description)\n")
        if !fault.rules.isEmpty { try Terminal.output("  breaks \(fault.rules.joined(separator: ", "))\n") }
        if !fault.may.isEmpty { try Terminal.output("  may break \(fault.may.joined(separator: ", "))\n") }
        try Terminal.output("  needs \(fault.trigger)\(fault.guest == "integrity" ? "" : " (guest \(fault.guest))")\n")
        if let window = fault.window { try Terminal.output("  a race: \(window)\n") }
        if let models = fault.models { try Terminal.output("  models \(models)\n") }
      }
    case .json:
      let faults = Fault.table.map { fault in
        JSON.object([
          ("name", .string(fault.name)), ("description", .string(fault.description)), ("rules", .array(fault.rules.map { .string($0) })),
          ("may", .array(fault.may.map { .string($0) })), ("trigger", .string(fault.trigger)), ("guest", .string(fault.guest)),
          ("window", fault.window.map { .string($0) } ?? .null), ("models", fault.models.map { .string($0) } ?? .null),
        ])
      }
      try Terminal.output(JSON.array(faults).text + "\n")
    }
  }
}
