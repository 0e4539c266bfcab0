import ArgumentParser
import GuestImages
import Reports

struct GuestsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "guests", abstract: "List the built-in guests.",
    discussion: Help.text(
      examples: Help.Example("what can be recorded without a guest of one's own", "pagetape guests")))

  @Option(help: "text or json.") var format = OutputFormat.text

  func run() throws {
    switch format {
    case .text:
      for guest in BuiltinGuest.all { try Terminal.output("\(guest.name.padding(to: 14))\(guest.description)\n") }
    case .json:
      let guests = BuiltinGuest.all.map { JSON.object([("name", .string($0.name)), ("description", .string($0.description))]) }
      try Terminal.output(JSON.array(guests).text + "\n")
    }
  }
}
