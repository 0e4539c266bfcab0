import Foundation

/// Where the sources are: tests look at the checkout they were built from.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Files below a folder of the checkout, with their path from the root.
  static func files(under folder: String, withExtension suffix: String) -> [(path: String, text: String)] {
    let base = root.appendingPathComponent(folder)
    guard let walker = FileManager.default.enumerator(atPath: base.path) else { return [] }
    var found: [(path: String, text: String)] = []
    for case let name as String in walker where name.hasSuffix("." + suffix) {
      if let text = try? String(contentsOf: base.appendingPathComponent(name), encoding: .utf8) {
        found.append((path: folder + "/" + name, text: text))
      }
    }
    return found.sorted { $0.path < $1.path }
  }
}
