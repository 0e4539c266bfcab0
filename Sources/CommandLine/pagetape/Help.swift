/// What a verb's help says below its first line: what to know, then how it is used.
enum Help {
  /// A command line, and what it is for.
  struct Example {
    var purpose: String
    var command: String

    init(_ purpose: String, _ command: String) {
      self.purpose = purpose
      self.command = command
    }
  }

  /// Commands stand on lines of their own, to be copied; a test demands at least one of every verb. The text says "Exit status: ", up to its end or that
  /// of a paragraph: a test demands that, too, and the manual makes a section of it.
  static func text(_ text: String, _ examples: Example...) -> String { compose(text, examples) }

  private static func compose(_ text: String, _ examples: [Example]) -> String {
    let lines = examples.map { "  \($0.purpose):\n    \($0.command)" }
    return text + "\n\nEXAMPLES:\n" + lines.joined(separator: "\n")
  }
}
