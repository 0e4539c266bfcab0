import Regression
import Synchronization

/// Who replays what, and what came of it: shared by the threads of a run.
final class SuiteProgress: Sendable {
  private struct State {
    /// The trace that the next free thread takes.
    var next = 0
    /// Traces from here on are not wanted.
    var limit: Int
    var results: [TraceResult?]
    /// How many were told.
    var told = 0
  }

  private let state: Mutex<State>
  private let failsFast: Bool
  private let tell: @Sendable (TraceResult) -> Bool

  init(_ count: Int, failsFast: Bool, _ tell: @escaping @Sendable (TraceResult) -> Bool) {
    state = Mutex(State(limit: count, results: Array(repeating: nil, count: count)))
    self.failsFast = failsFast
    self.tell = tell
  }

  /// The next trace to replay; nil when there is none.
  func take() -> Int? {
    state.withLock { state in
      guard state.next < state.limit else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }

  func put(_ result: TraceResult, at index: Int) {
    state.withLock { state in
      guard index < state.limit else { return }
      state.results[index] = result
      // Threads that are at an earlier trace go on: that one may fail too, and then it is the first.
      if failsFast, result.status.isFailure { state.limit = index + 1 }
      while state.told < state.limit, let next = state.results[state.told] {
        state.told += 1
        if !tell(next) { state.limit = state.told }
      }
    }
  }

  /// Nil for those that were not wanted.
  var results: [TraceResult?] {
    state.withLock { state in state.results.enumerated().map { $0.offset < state.limit ? $0.element : nil } }
  }
}
