extension RacesCommand {
  /// Traces of pagetape's own.
  func runNative() throws {
    throw Failure("\(file): a trace of pagetape, not a text in RAPID's STD format; 'pagetape replay' judges it")
  }
}
