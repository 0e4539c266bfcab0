/// A set of small numbers that is emptied at no cost: a search asks thousands of questions about the same million events.
struct Marks {
  /// By number: the round in which it was last put in.
  private var rounds: [UInt32]
  private var round: UInt32 = 1

  /// Empty, for numbers below `count`.
  init(_ count: Int) { rounds = Array(repeating: 0, count: count) }

  mutating func clear() {
    round &+= 1
    guard round == 0 else { return }
    for index in rounds.indices { rounds[index] = 0 }
    round = 1
  }

  mutating func insert(_ number: Int32) { rounds[Int(number)] = round }

  func contains(_ number: Int32) -> Bool { rounds[Int(number)] == round }
}
