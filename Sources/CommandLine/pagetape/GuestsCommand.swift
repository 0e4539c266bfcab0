import ArgumentParser
import GuestImages
import LinuxBoot
import Reports

struct GuestsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "guests", abstract: "List the built-in guests, or the symbols of one, or of a Linux kernel.",
    discussion: Help.text(
      """
      The symbols are those of its functions and of the memory that it uses, as nm writes them: what --symbols of other verbs reads. A Linux kernel, a \
      bzImage or a vmlinux, holds its own for its messages: distributions ship them nowhere else, but in packages of debug information. Exit status: 0, \
      or 2 where there is no such guest, or a kernel that holds no symbols.
      """,
      Help.Example("what can be recorded without a guest of one's own", "pagetape guests"),
      Help.Example("a map of a guest's symbols", "pagetape guests integrity --symbols > integrity.map"),
      Help.Example("a map of a kernel's symbols", "pagetape guests /boot/vmlinuz --symbols > System.map")))

  @Argument(help: ArgumentHelp("Only this one; with --symbols, a kernel's file, too.", valueName: "name|file"), completion: .file())
  var name: String?
  @Flag(help: "Print the guest's symbols.") var symbols = false
  @Option(help: "text or json.") var format = OutputFormat.text

  func validate() throws {
    let names = BuiltinGuest.all.map(\.name)
    if let name, !names.contains(name), !symbols || !isFile(name) {
      if !symbols, isFile(name) { throw ValidationError("'\(name)' is no built-in guest; of a kernel's file --symbols lists what it holds") }
      throw ValidationError("there is no guest '\(name)'\(Suggestion.text(for: name, among: names))")
    }
    if symbols, name == nil { throw ValidationError("--symbols takes the name of a guest: \(names.joined(separator: ", "))") }
    if symbols, format == .json { throw ValidationError("--symbols has one form only") }
  }

  /// A path may name what is not there, and then says so; a bare name is a guest's, unless there is such a file.
  private func isFile(_ name: String) -> Bool { name.contains("/") || FileBytes.exists(name) }

  private func kernelMap() throws -> String {
    let path = name ?? ""
    let file = try KernelFile.read(path)
    do throws(LinuxBootError) {
      return try KernelNames(KernelImage(file, unpacked: true)).symbols.map { $0.line + "\n" }.joined()
    } catch { throw Failure("\(path): \(error)") }
  }

  func run() throws {
    let guests = BuiltinGuest.all.filter { name == nil || $0.name == name }
    if symbols, guests.isEmpty { return try Terminal.output(try kernelMap()) }
    if symbols { return try Terminal.output(guests.flatMap(\.names).map { $0.line + "\n" }.joined()) }
    switch format {
    case .text:
      for guest in guests { try Terminal.output("\(guest.name.padding(to: 14))\(guest.description)\n") }
    case .json:
      let guests = guests.map { JSON.object([("name", .string($0.name)), ("description", .string($0.description))]) }
      try Terminal.output(JSON.array(guests).text + "\n")
    }
  }
}
