import CArguments

/// What the process was started with, wherever it runs.
enum Arguments {
  /// The program's name first. A byte that is no UTF-8 becomes a replacement character.
  static let all: [String] = (0..<carguments_count()).map { index in
    // SAFETY: the index is below the count; the strings live as long as the process, and are copied.
    unsafe String(cString: carguments_at(index))
  }

  static var ofUser: ArraySlice<String> { all.dropFirst() }
}
