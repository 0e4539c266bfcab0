/// "Did you mean": the known name nearest to what was typed.
enum Suggestion {
  /// ` (did you mean "x"?)`, or nothing where no name is near.
  static func text(for typed: String, among names: [String]) -> String {
    let near = names.map { (name: $0, distance: distance(typed, $0)) }.min { $0.distance < $1.distance }
    guard let near, near.distance <= max(2, typed.count / 3) else { return "" }
    return " (did you mean \"\(near.name)\"?)"
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
