import ArgumentParser
import Reports

/// `--color`, for the verbs that paint what they print.
struct ColorOptions: ParsableArguments {
  enum Choice: String, ExpressibleByArgument, CaseIterable {
    case auto, always, never
  }

  @Option(help: "auto: on a terminal, unless NO_COLOR is set, or where CLICOLOR_FORCE or FORCE_COLOR is. Or always, or never.") var color = Choice.auto

  var style: TextStyle {
    switch color {
    case .auto: Terminal.style
    case .always: TextStyle(isColoured: true)
    case .never: .plain
    }
  }
}
