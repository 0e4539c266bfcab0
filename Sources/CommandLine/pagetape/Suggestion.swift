import Glibc

/// "Did you mean": the known name nearest to what was typed.
enum Suggestion {
  /// ` (did you mean "x"?)`, or nothing where no name is near.
  static func text(for typed: String, among names: [String]) -> String {
    let near = names.map { (name: $0, distance: distance(typed, $0)) }.min { $0.distance < $1.distance }
    guard let near, near.distance <= max(2, typed.count / 3) else { return "" }
    return " (did you mean \"\(near.name)\"?)"
  }

  /// The same for a file that is not there, among its neighbours; nothing where it is, or its folder is not.
  static func text(forFile path: String) -> String {
    guard unsafe access(path, F_OK) != 0 else { return "" }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { String(path[...$0]) } ?? ""
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    // SAFETY: the stream is closed by this function alone, and an entry's name is copied before the next is read.
    guard let stream = unsafe opendir(folder.isEmpty ? "." : folder) else { return "" }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while names.count < 10_000, let entry = unsafe readdir(stream) {
      let found = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if !found.hasPrefix(".") { names.append(folder + found) }
    }
    // Nearness is that of the names: a long folder must not make up for it.
    guard let near = names.min(by: { distance(path, $0) < distance(path, $1) }), distance(path, near) <= max(2, name.count / 4) else { return "" }
    return " (did you mean \"\(near)\"?)"
  }

  /// Levenshtein's.
  static func distance(_ left: String, _ right: String) -> Int {
    let target = Array(right)
    var row = Array(0...target.count)
    for (index, character) in left.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in target.indices {
        let substituted = diagonal + (target[column] == character ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
      }
    }
    return row[target.count]
  }
}
