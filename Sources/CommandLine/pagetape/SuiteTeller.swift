import Regression
import Reports
import Synchronization

/// Tells of traces as they are done, from whichever thread, and how far the run is where a person is looking.
final class SuiteTeller: Sendable {
  private let total: Int
  private let text: @Sendable (TraceResult) -> String
  private let state = Mutex<(done: Int, failed: Int, error: (any Error)?)>((0, 0, nil))

  init(total: Int, text: @escaping @Sendable (TraceResult) -> String) {
    self.total = total
    self.text = text
  }

  /// False when there is nobody left to tell.
  func tell(_ result: TraceResult) -> Bool {
    state.withLock { state in
      state.done += 1
      if result.status.isFailure { state.failed += 1 }
      let text = text(result)
      if Terminal.showsProgress, !text.isEmpty { Terminal.endProgress() }
      do { try Terminal.output(text) } catch { state.error = error }
      if Terminal.showsProgress {
        let failed = state.failed > 0 ? ", \(Count.grouped(UInt64(state.failed))) failed" : ""
        Terminal.progress("\(Count.grouped(UInt64(state.done))) of \(Count.text(UInt64(total), "trace"))\(failed)")
      }
      return state.error == nil
    }
  }

  /// Takes the progress line away, and throws what kept the run from being told.
  func end() throws {
    if Terminal.showsProgress { Terminal.endProgress() }
    if let error = state.withLock({ $0.error }) { throw error }
  }
}
