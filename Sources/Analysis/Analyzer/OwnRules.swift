internal import Synchronization

/// The words of all rules that were made by users, in this process. A program has a few; none is ever forgotten.
enum OwnRules {
  struct Words: Hashable, Sendable {
    var name: String
    var severity: Severity
    var statement: String
  }

  private struct Table {
    var words: [Words] = []
    var numbers: [Words: UInt32] = [:]
  }

  private static let table = Mutex(Table())

  /// The place of these words, which they get when they are first seen.
  static func number(of words: Words) -> UInt32 {
    table.withLock { table in
      if let number = table.numbers[words] { return number }
      let number = UInt32(table.words.count)
      table.words.append(words)
      table.numbers[words] = number
      return number
    }
  }

  static func words(of number: UInt32) -> Words { table.withLock { $0.words[Int(number)] } }
}
