/// The version of the tool, as traces name it.
enum Version {
  static let text = "0.1.0"
  /// What wrote a file.
  static let producer = "pagetape \(text)"
}
